"""What people read of a release. What others wrote is shown as it is, and never as Markdown."""

from lycatra_appservice.tools._plain import plain_text
from lycatra_appservice.tools.updates._kept_releases import Kept
from lycatra_appservice.tools.updates._release import Release


def told(service: str, kept: Kept) -> str:
    """One piece of news in Markdown: what is out, its notes, and where more of them are."""
    release = kept.release
    return "\n\n".join(
        part
        for part in (
            _head(service, release),
            _notes(release),
            f"Out with it: {', '.join(map(plain_text, kept.with_it))}." if kept.with_it else "",
            f"Image: `{release.digest}`" if release.digest else "",
            f"<{release.url}>" if release.url else "",
        )
        if part
    )


def _head(service: str, release: Release) -> str:
    name, title = plain_text(service), plain_text(release.title)
    if not release.version:
        return f"📦 **{name}**: {title or 'something new'}"
    said = f": {title}" if title else ""
    return f"📦 **{name} {plain_text(release.version)}** is out{said}"


def _notes(release: Release) -> str:
    lines = [f"- {plain_text(each)}" for each in release.notes]
    if lines and release.more_notes:
        lines.append(f"- … and {release.more_notes} more")
    return "\n".join(lines)
