"""The ready-made question for the report on something that went wrong."""

from lycatra_appservice.toolkit.base import PromptArgument, PromptTemplate
from lycatra_appservice.tools.services._known import watched

PROMPT = PromptTemplate(
    name="incident_report",
    title="Write an incident report",
    summary="A report on something that went wrong: what is known, in order, and what is not.",
    arguments=(
        PromptArgument(name="service", description="Which service went wrong.", known=watched),
        PromptArgument(name="since", description="When it began, as far as known."),
        PromptArgument(name="what", description="What went wrong, in words.", max_chars=300),
    ),
    text="""
Write an incident report.
The service: {service}.
It began: {since}.
What people say went wrong: {what}.
Look up how the services are doing now, and what was changed or deployed shortly before. Write \
Markdown with these headings: Summary, Timeline, What was affected, Likely cause, What to do \
next. Use only what the tools and this conversation say; of everything else write "not known". \
Call something the cause only if the facts show it.
""",
)
