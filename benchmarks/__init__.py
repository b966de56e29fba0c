"""How fast it is, against baselines of the same run: `make bench [ONLY=name]`.

One file a question (`ingest`, `claim_to_start`, `drain`, `command_over_synapse`, `start`). Each
has its contenders take turns for several rounds; a figure is the median of its rounds. Absolute
figures say something about one machine in one hour: compare ratios. Who did not do the work it
was measured by has no speed: that raises, and the run fails.
"""
