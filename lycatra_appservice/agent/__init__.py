"""Words to the model and back: a question in, Markdown out, tools in between.

loop ── prompt, trimming
  ├──── calls ──► the toolbox, opened for the asker
  └──── asking ──► backend (protocol) ◄── chat_completions ── wire, reading, failures
                                                                └── sse, accumulator, thinking
"""
