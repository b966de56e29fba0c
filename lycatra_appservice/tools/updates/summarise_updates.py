"""The ready-made question for what has changed lately."""

from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate

PROMPT = PromptTemplate(
    name="summarise_updates",
    title="Summarise what changed",
    summary="What was released, changed and deployed lately, by service, in a few sentences.",
    arguments=(
        PromptArgument(name="since", description="How far back, such as 7 days or 2026-11-01."),
        PromptArgument(name="service", description="Only this service."),
    ),
    text="""
Summarise what was released, changed and deployed lately.
Look back this far: {since}.
Only about this service: {service}.
Group it by service, the newest first. Say of each change in one sentence what it means for the \
people who use the service, and point out what needs somebody's attention. If nothing has \
changed, say so in one sentence.
""",
)
