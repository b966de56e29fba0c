"""The ready-made question about one service, for somebody who is new to it."""

from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate
from lycatra_appservice.tools.services._known import watched

PROMPT = PromptTemplate(
    name="explain_service",
    title="Explain a service",
    summary="How one service is doing, since when, and what changed in it lately, in plain words.",
    arguments=(
        PromptArgument(name="service", description="Which service.", required=True, known=watched),
    ),
    text="""
Explain this service to somebody who is new here: {service}.
Look up how it is doing now, and what was released, changed or deployed for it lately. Begin with \
one sentence on whether all is well. Do not guess what it is for, if nothing says so.
""",
)
