from __future__ import annotations

from antiphon.daemon.messages import Kind, Record
from antiphon.daemon.player.due import MAX_UNSENT, SHORTEST_NS, DueQueue, moved, too_late
from hypothesis import given
from hypothesis import strategies as st

MS = 1_000_000


def _note(note_id: int, t_ns: int, u_ns: int = 0) -> Record:
    return Record(Kind.NOTE, 0, 60, 100, note_id, t_ns, u_ns, 50.0 * MS)


def _drain(queue: DueQueue, now_ns: int) -> list[tuple[int, int, int]]:
    """Pop everything due, entering the ends of notes as the player does."""
    popped = []
    while (record := queue.pop(now_ns)) is not None:
        popped.append((record.kind, record.id, record.t_ns))
        if record.kind == Kind.NOTE:
            queue.sounds(record, record.t_ns)
        elif record.kind == Kind.END:
            assert queue.end_of(record.id) == record.t_ns
    return popped


def test_nothing_leaves_before_its_time() -> None:
    queue = DueQueue()
    queue.add_note(_note(1, 100 * MS, 200 * MS))
    assert queue.next_ns() == 100 * MS
    assert _drain(queue, 100 * MS - 1) == []
    assert _drain(queue, 100 * MS) == [(Kind.NOTE, 1, 100 * MS)]
    assert queue.next_ns() == 200 * MS
    assert _drain(queue, 300 * MS) == [(Kind.END, 1, 200 * MS)]
    assert queue.next_ns() is None


def test_at_one_time_ends_leave_first_then_messages_then_notes_as_they_came() -> None:
    queue = DueQueue()
    queue.add_note(_note(1, 0, 100 * MS))
    assert _drain(queue, 0) == [(Kind.NOTE, 1, 0)]
    queue.add_note(_note(3, 100 * MS))
    queue.add_note(_note(2, 100 * MS))
    queue.add_message(Record(Kind.SEND, 0xB0, 64, 0, 3, 100 * MS))
    assert [(kind, note_id) for kind, note_id, _ in _drain(queue, 100 * MS)] == [
        (Kind.END, 1), (Kind.SEND, 3), (Kind.NOTE, 3), (Kind.NOTE, 2)
    ]  # fmt: skip


def test_a_note_without_an_end_sounds_until_one_comes() -> None:
    queue = DueQueue()
    queue.add_note(_note(1, 0))
    assert _drain(queue, 10**12) == [(Kind.NOTE, 1, 0)]
    assert queue.next_ns() is None
    queue.end_at(1, 10**12)
    assert _drain(queue, 10**12) == [(Kind.END, 1, 10**12)]


def test_the_newest_end_counts_earlier_or_later() -> None:
    for newest in (50 * MS, 500 * MS):
        queue = DueQueue()
        queue.add_note(_note(1, 0, 100 * MS))
        _drain(queue, 0)
        queue.end_at(1, newest)
        assert _drain(queue, 10**12) == [(Kind.END, 1, newest)]


def test_an_end_before_the_onset_cancels_and_one_behind_it_shortens() -> None:
    queue = DueQueue()
    early, late = _note(1, 100 * MS, 400 * MS), _note(2, 100 * MS, 400 * MS)
    queue.add_note(early)
    queue.add_note(late)
    assert queue.end_unsent(1, 100 * MS) == early
    assert queue.end_unsent(2, 200 * MS) is None
    assert queue.end_unsent(3, 0) is None
    assert _drain(queue, 10**12) == [(Kind.NOTE, 2, 100 * MS), (Kind.END, 2, 200 * MS)]


def test_cancel_forgets_one_note_and_cancel_all_every_one_but_no_end_and_no_message() -> None:
    queue = DueQueue()
    queue.add_note(_note(1, 0, 900 * MS))
    _drain(queue, 0)
    notes = [_note(number, (10 - number) * MS) for number in (2, 3, 4)]
    for note in notes:
        queue.add_note(note)
    queue.add_message(Record(Kind.SEND, 0xB0, 64, 0, 3, 5 * MS))
    assert queue.cancel(2) == notes[0]
    assert queue.cancel(2) is None
    assert queue.cancel_all() == [notes[2], notes[1]]
    assert [kind for kind, _, _ in _drain(queue, 10**12)] == [Kind.SEND, Kind.END]


def test_clear_forgets_messages_too() -> None:
    queue = DueQueue()
    queue.add_note(_note(1, 0, 900 * MS))
    _drain(queue, 0)
    queue.add_note(_note(2, MS))
    queue.add_message(Record(Kind.SEND, 0xB0, 64, 0, 3, MS))
    assert [note.id for note in queue.clear()] == [2]
    assert _drain(queue, 10**12) == [(Kind.END, 1, 900 * MS)]


def test_an_id_that_waits_or_a_full_queue_is_refused() -> None:
    queue = DueQueue()
    assert queue.add_note(_note(1, MS))
    assert not queue.add_note(_note(1, 2 * MS))
    for number in range(2, MAX_UNSENT + 1):
        assert queue.add_note(_note(number, MS))
    assert not queue.add_note(_note(MAX_UNSENT + 1, MS))
    queue.cancel(5)
    assert queue.add_note(_note(MAX_UNSENT + 1, MS))


def test_late_is_later_than_the_tolerance() -> None:
    assert not too_late(_note(1, 100 * MS), 150 * MS)
    assert too_late(_note(1, 100 * MS), 150 * MS + 1)


def test_a_late_note_is_heard_for_a_moment_at_least() -> None:
    queue = DueQueue()
    queue.sounds(_note(1, 0, 30 * MS), 40 * MS)
    assert queue.next_ns() == 40 * MS + SHORTEST_NS
    queue.sounds(_note(2, 0, 5 * MS), 40 * MS)
    assert queue.next_ns() == 45 * MS


def test_the_offset_moves_onset_and_end_and_never_drops_a_note_by_itself() -> None:
    note = _note(1, 100 * MS, 200 * MS)
    assert moved(note, 0) is note
    later = moved(note, 30 * MS)
    assert (later.t_ns, later.u_ns, later.value) == (130 * MS, 230 * MS, 50.0 * MS)
    sooner = moved(note, -400 * MS)
    assert (sooner.t_ns, sooner.u_ns) == (-300 * MS, -200 * MS)
    assert not too_late(sooner, 150 * MS)
    assert too_late(sooner, 150 * MS + 1)
    assert moved(_note(1, 100 * MS), 30 * MS).u_ns == 0


_EVENTS = st.lists(
    st.tuples(st.sampled_from(("note", "end", "cancel", "time")), st.integers(1, 6), st.integers(0, 40)),
    max_size=60,
)


@given(_EVENTS)
def test_every_note_is_sent_or_cancelled_once_and_every_sent_one_ends_once(
    events: list[tuple[str, int, int]],
) -> None:
    queue = DueQueue()
    now, fates, sounding = 0, dict[int, str](), set[int]()

    def run() -> None:
        while (record := queue.pop(now)) is not None:
            assert record.t_ns <= now
            if record.kind == Kind.NOTE:
                assert fates.pop(record.id) == "waits"
                sounding.add(record.id)
                queue.sounds(record, now)
            else:
                sounding.remove(record.id)
                queue.end_of(record.id)

    for name, note_id, amount in events:
        if name == "note" and note_id not in sounding and note_id not in fates:
            queue.add_note(_note(note_id, now + amount, now + amount + 7))
            fates[note_id] = "waits"
        elif name == "end":
            if queue.waits(note_id):
                if queue.end_unsent(note_id, now + amount) is not None:
                    del fates[note_id]
            elif note_id in sounding:
                queue.end_at(note_id, now + amount)
        elif name == "cancel":
            assert (queue.cancel(note_id) is not None) == (note_id in fates)
            fates.pop(note_id, None)
        else:
            now += amount
        run()
    for _ in range(2):  # a note sent now ends a little later
        now += 1000
        run()
    assert fates == {}
    assert sounding == set()
    assert queue.next_ns() is None
    assert queue.unsent == 0
