"""How an answer hangs on its question: the `m.relates_to` of each of its messages."""

from lycatra_appservice.model import JSON, Address


def relation(address: Address, part: int) -> dict[str, JSON]:
    """Only the first part is a reply; all of them stand in the thread. May be empty.

    In a thread a reply is a genuine one (`is_falling_back` false) when it answers a message in
    it; on the thread's own root, and for further parts, it is there only for clients without
    threads. The quoted text that clients once put before a reply is no longer part of Matrix.
    """
    if address.thread is None:
        replies = address.reply_to is not None and part == 1
        return {"m.in_reply_to": {"event_id": address.reply_to}} if replies else {}
    answers = part == 1 and address.reply_to not in {None, address.thread}
    return {
        "rel_type": "m.thread",
        "event_id": address.thread,
        "is_falling_back": not answers,
        "m.in_reply_to": {"event_id": address.reply_to or address.thread},
    }
