from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.due_index import DueIndex
from trioarm.core.instants import EARLIEST, LATEST


def test_an_empty_index_has_nothing_due() -> None:
    """An index without entries names no instant and hands nothing out."""
    index = DueIndex()
    assert (len(index), index.next_due_at, index.due(2**62, 10)) == (0, None, [])


def test_entries_come_by_instant_then_rank_then_key() -> None:
    """The earliest entry comes first; among equal instants the lower rank, then the lower key."""
    index = DueIndex()
    for key, due_at, rank in ((1, 20, 0), (4, 10, 0), (3, 10, 0), (2, 10, -5)):
        index.put(key, due_at, rank)
    assert index.due(30, 10) == [2, 3, 4, 1]


def test_only_what_is_due_is_handed_out() -> None:
    """An entry is due at its instant and not before, and no more than asked for are handed out."""
    index = DueIndex()
    for key in range(5):
        index.put(key, 10 + key)
    assert index.due(9, 10) == []
    assert index.due(12, 10) == [0, 1, 2]
    assert index.due(12, 2) == [0, 1]


def test_what_is_handed_out_comes_back_until_it_is_settled() -> None:
    """A lent entry is due again at the next look, unless its key was put again or discarded."""
    index = DueIndex()
    for key in (1, 2, 3):
        index.put(key, 10)
    assert index.due(10, 10) == [1, 2, 3]
    index.put(1, 50)
    index.discard(2)
    assert index.next_due_at == 10
    assert index.due(10, 10) == [3]
    assert index.due(10, 10) == [3]
    assert len(index) == 2


def test_a_key_has_one_entry() -> None:
    """Putting a key again moves its entry, even to the instant it had."""
    index = DueIndex()
    index.put(1, 10)
    index.put(1, 5)
    index.put(1, 5)
    assert index.due(10, 10) == [1]
    index.put(1, 99)
    assert (len(index), index.due(10, 10), index.next_due_at) == (1, [], 99)


def test_what_a_key_had_before_is_passed_over() -> None:
    """Where it would have come first, too."""
    index = DueIndex()
    index.put(1, 5)
    index.put(1, 9)
    index.put(2, 6)
    assert index.due(7, 10) == [2]


def test_many_are_put_as_one_is() -> None:
    """Whatever they had before is over, and the heap stays within its bound."""
    index = DueIndex((at, 0, at) for at in range(10))
    index.due(3, 10)
    index.put_all(range(10), range(20, 10, -1), [0] * 10)
    assert index.heap_size <= 20
    index.put_all(range(12), range(30, 18, -1), range(0, -12, -1))
    assert index.heap_size <= 24
    assert (len(index), index.due_at(0), index.due(22, 10), index.next_due_at) == (12, 30, [11, 10, 9, 8], 19)


def test_an_index_says_when_a_key_is_due() -> None:
    """Also one that was handed out; none of a key that was discarded, or never put."""
    index = DueIndex()
    for key in (1, 2):
        index.put(key, 10 * key)
    index.due(10, 1)
    index.discard(2)
    assert [index.due_at(key) for key in (1, 2, 3)] == [10, None, None]


def test_an_index_may_begin_with_entries() -> None:
    """Entries given at the start, in any order, come like those that were put."""
    index = DueIndex([(20, 0, 1), (10, 0, 2)])
    assert (len(index), index.next_due_at, index.due(30, 10)) == (2, 10, [2, 1])


def test_what_comes_last_is_forgotten_to_keep_an_index_short() -> None:
    """The entries that come first stay, what was lent among them; the next one is named, and the rest is gone."""
    index = DueIndex()
    for key in range(10):
        index.put(key, 100 - key)
    assert index.due(92, 10) == [9, 8]
    assert index.shorten(4) == 95
    assert (len(index), index.heap_size, index.due(200, 10)) == (4, 4, [9, 8, 7, 6])


def test_discarding_an_unknown_key_does_nothing() -> None:
    """A key without an entry may be discarded."""
    index = DueIndex()
    index.put(1, 10)
    index.discard(2)
    index.discard(1)
    index.discard(1)
    assert (len(index), index.heap_size, index.next_due_at) == (0, 0, None)


def test_a_million_updates_of_few_keys_leave_a_small_heap() -> None:
    """The heap never holds more than twice the live entries, however often they change."""
    index, keys = DueIndex(), 8
    largest = 0
    for turn in range(1_000_000):
        index.put(turn % keys, turn)
        if turn % 7 == 0:
            largest = max(largest, index.heap_size)
    assert len(index) == keys
    assert largest <= 2 * keys
    assert index.next_due_at == 1_000_000 - keys


def test_updates_of_lent_entries_leave_a_small_heap() -> None:
    """Entries that are handed out count as held: a look and its updates do not outgrow the bound either."""
    index, keys = DueIndex(), 64
    for turn in range(2_000):
        for key in index.due(turn, 16) or range(keys):
            index.put(key, turn + 1 + key % 3)
            assert index.heap_size <= 2 * len(index)


_keys = st.sampled_from([1 - 2**47, -2, -1, 0, 1, 2**47 - 1])
_instants = st.one_of(st.integers(-3, 20), st.sampled_from([EARLIEST, LATEST]))
_operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _keys, _instants, st.integers(-63, 63)),
        st.tuples(st.just("discard"), _keys, st.just(0), st.just(0)),
        st.tuples(st.just("due"), _instants, st.integers(1, 7), st.just(0)),
        st.tuples(st.just("next"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=60,
)


@given(_operations)
@settings(max_examples=400, deadline=None, derandomize=True)
def test_the_index_behaves_like_a_sorted_dictionary(operations: list[tuple[str, int, int, int]]) -> None:
    """Whatever is put, discarded and looked at: the live entries are those a plain dictionary would hold, in order."""
    index = DueIndex()
    model: dict[int, tuple[int, int, int]] = {}
    for what, first, second, third in operations:
        match what:
            case "put":
                index.put(first, second, third)
                model[first] = (second, third, first)
            case "discard":
                index.discard(first)
                model.pop(first, None)
            case "due":
                due = sorted(entry for entry in model.values() if entry[0] <= first)
                assert index.due(first, second) == [key for _, _, key in due[:second]]
            case _:
                assert index.next_due_at == min((entry[0] for entry in model.values()), default=None)
        assert len(index) == len(model)
        assert index.heap_size <= 2 * len(index)


def an_index_of(*keys: int) -> DueIndex:
    """Return an index in which these are due at 10."""
    index = DueIndex()
    for key in keys:
        index.put(key, 10)
    return index


def test_what_is_further_due_is_behind_what_was_handed_out() -> None:
    """Each key once, up to a limit of its own; what was settled is due again only if it was put so."""
    index = an_index_of(1, 2, 3, 4, 5)
    assert index.due(10, 2) == [1, 2]
    index.put(1, 99)
    index.put(2, 10)
    assert index.further(10, 2) == [2, 3]
    assert index.further(9, 2) == []
    assert index.further(10, 5) == [4, 5]
    assert index.further(10, 5) == []
    assert index.due(10, 9) == [2, 3, 4, 5]


def test_who_asks_for_the_next_instant_has_nothing_handed_out_twice() -> None:
    """What is handed out counts as due for whoever asks, and is still out."""
    index = an_index_of(1, 2, 3)
    assert index.due(10, 2) == [1, 2]
    assert index.next_due_at == 10
    assert index.further(10, 9) == [3]
    assert index.next_due_at == 10
    assert index.further(10, 9) == []


def test_what_is_handed_out_stays_so_when_dead_entries_are_dropped() -> None:
    """They outnumber the live ones when one key is put again and again."""
    index = an_index_of(1, 2, 3)
    assert index.due(10, 2) == [1, 2]
    for due_at in range(20, 40):
        index.put(4, due_at)
    assert index.heap_size <= 2 * len(index)
    assert index.further(10, 9) == [3]


def test_what_is_handed_out_stays_so_when_the_index_is_shortened() -> None:
    """What comes last is forgotten, handed out or not."""
    index = an_index_of(1, 2, 3, 4)
    assert index.due(10, 2) == [1, 2]
    assert index.shorten(3) == 10
    assert index.further(10, 9) == [3]
    assert index.due(10, 9) == [1, 2, 3]
