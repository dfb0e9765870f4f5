"""What can go wrong at a cabinet, how is it noticed, and what is done? The table that docs/cabinets.md is made of.

The numbers are those of the field's own list (facts: cabinets 6), but for F-44, which is ours. Every row names the
function that resolves it and the test that shows it; a test holds both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultCase:
    """code: `F-01`. fault, seen, done: for people. where: what resolves it, as `module.name`. test: as `file::name`."""

    code: str
    fault: str
    seen: str
    done: str
    where: str
    test: str


@dataclass(frozen=True, slots=True)
class CaseGroup:
    """When in a session they come up."""

    name: str
    cases: tuple[FaultCase, ...]


_START = "edge.till.swap.start"
_WATCH = "edge.till.swap.watch"
_REST = "edge.till.swap.rest"
_LOOP = "edge.shop.cabinet_loop"
_T_START = "tests/edge/shop/test_refusals.py"
_T_IN = "tests/edge/shop/test_faults_in.py"
_T_OUT = "tests/edge/shop/test_faults_out.py"
_T_REST = "tests/edge/shop/test_faults_any_time.py"
_T_DEATH = "tests/edge/shop/test_recovery.py"
_T_PURE = "tests/edge/till/test_swap_slots.py"

GROUPS: tuple[CaseGroup, ...] = (
    CaseGroup(
        "Before the start",
        (
            FaultCase(
                "F-01",
                "The cabinet does not answer, is out of service, or closed",
                "No fresh word of a door, every slot off, or not within `hours`",
                "Refused; no door moves. When closed a return is taken all the same, and whoever has a pack in may go "
                "on. A slot that has gone from the config ends its session, and charges nothing",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_01_a_cabinet_that_does_not_answer",
            ),
            FaultCase(
                "F-02",
                "It is in use, or the rider has a session already",
                "A session in the log, or a start under way",
                "Refused: one rider at a time",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_02_one_rider_at_a_time",
            ),
            FaultCase(
                "F-03",
                "The scan is too old",
                "`scan_valid_s` since the rider was seen",
                "Refused; scan again",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_03_a_scan_that_is_too_old",
            ),
            FaultCase(
                "F-04",
                "A door stands open",
                "Any door of a slot that is in use is not shut",
                "Refused until it is shut; after `door_alarm_s` staff are told",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_04_a_door_that_stands_open",
            ),
            FaultCase(
                "F-05",
                "No empty slot; for a return: not two",
                "Count of strictly empty slots",
                "Refused; a return leaves one for whoever swaps next",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_05_no_empty_slot",
            ),
            FaultCase(
                "F-06",
                "No full pack of a model that fits",
                "Strictly full, fleet's, fits, charged enough, nothing against it",
                "Refused; a lower one only with the rider's consent",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_06_only_a_lower_pack_needs_consent",
            ),
            FaultCase(
                "F-07",
                "The rider is not entitled, or comes too soon",
                "No rights, frozen, expired, hot-listed; the least time between two swaps",
                "Refused; rights are asked for online first",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_07_not_entitled_or_too_soon",
            ),
            FaultCase(
                "F-08",
                "Mains lost",
                "Input, or the power meter's",
                "New sessions are refused; one that runs goes on while its locks have power",
                f"{_START}.open_swap",
                f"{_T_START}::test_f_08_without_mains_only_what_runs_goes_on",
            ),
            FaultCase(
                "F-09",
                "A slot that was chosen as empty is not",
                "Any witness against it, right before the pulse",
                "The slot is locked, the next one chosen",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_09_an_empty_slot_that_is_not",
            ),
        ),
    ),
    CaseGroup(
        "The empty slot opens",
        (
            FaultCase(
                "F-10",
                "The lock board does not answer",
                "Its error at the pulse",
                "Up to `pulses` tries, then the next slot; this one rests",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_10_a_lock_board_that_does_not_answer",
            ),
            FaultCase(
                "F-11",
                "The door does not open",
                "Not seen open after `pulses`, `pulse_apart_s` apart",
                "The next empty slot; this one rests, and is locked after more than `failures_max` in a row",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_11_a_door_that_does_not_open",
            ),
            FaultCase(
                "F-12",
                "Another door opens",
                "A door that was shut at the pulse, while the one that was told is",
                "The session ends without charge; both slots are locked, and what stood behind that door is asked for "
                "until it is seen there (F-44)",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_12_another_door_opens",
            ),
            FaultCase(
                "F-13",
                "A sensor is stuck",
                "No change after a good pulse, or witnesses that contradict each other",
                "Nothing is inferred: no take, no charge. The slot is locked, the pack noted as vanished",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_13_a_broken_sensor_is_no_take",
            ),
        ),
    ),
    CaseGroup(
        "The rider puts a pack in",
        (
            FaultCase(
                "F-20",
                "The door is not shut",
                "`put_in_s`",
                "Told; after `hold_s` more the session ends. The cabinet waits until the door is shut",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_20_a_door_that_is_not_shut",
            ),
            FaultCase(
                "F-21",
                "Shut, and empty",
                "Strictly empty for `not_put_in_s`",
                "Opened once more, then ended; no charge",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_21_shut_and_empty",
            ),
            FaultCase(
                "F-22",
                "A pack is there, its BMS silent",
                "Presence without an answer",
                "Woken every `wake_apart_s`; then opened again, `unrecognised_max` times; then the slot is locked",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_22_a_pack_that_sleeps_is_woken",
            ),
            FaultCase(
                "F-23",
                "Not the pack that the rider had; a foreign, rented, lost or stolen one",
                "Its code, by the terms, the pack list and the site's log",
                "The fleet's: taken, the rider's own noted as stray. Foreign or rented: opened again. Lost or stolen: "
                "locked in, and nothing is given",
                "edge.till.swap.packs.judge",
                f"{_T_IN}::test_f_23_whose_pack_is_it",
            ),
            FaultCase(
                "F-24",
                "No code, one that cannot be, or one that stands in another slot; a voltage that does not fit",
                "The code's form, its nominal voltage",
                "Opened again",
                "edge.till.swap.packs.judge",
                f"{_T_IN}::test_f_24_a_code_that_is_none",
            ),
            FaultCase(
                "F-25",
                "Damaged, or too hot",
                "Protections of the BMS, cell temperature",
                "Damaged: taken and locked in, never charged, never given out. Above `evacuate_dc`: opened again at "
                "once",
                "edge.till.swap.packs.judge",
                f"{_T_IN}::test_f_25_a_damaged_pack_is_locked_in",
            ),
            FaultCase(
                "F-26",
                "Presence, code and voltage disagree",
                "One witness says so, another not",
                "Looked at for `not_put_in_s`; then opened again; then the slot is locked",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_26_witnesses_that_disagree",
            ),
            FaultCase(
                "F-27",
                "Corrupted answers of a BMS",
                "Checksum, range; three in a row",
                "Discarded and asked again; then as F-22",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_27_a_pack_that_talks_nonsense",
            ),
            FaultCase(
                "F-28",
                "The rider takes the pack out again",
                "Its door opens, or its slot is empty, before the other door has opened",
                "Back to putting in; the other door does not open",
                f"{_WATCH}.advance",
                f"{_T_IN}::test_f_28_taken_out_again",
            ),
            FaultCase(
                "F-29",
                "Headquarters is out of reach",
                "No answer in time",
                "The site's own rights and rules hold: a pack that the terms name as the fleet's is taken",
                "edge.shop.shop.Shop.start",
                f"{_T_IN}::test_f_29_without_headquarters",
            ),
        ),
    ),
    CaseGroup(
        "The full slot opens",
        (
            FaultCase(
                "F-30",
                "The chosen pack has gone, or lost charge",
                "Asked again right before the pulse",
                "The next best pack",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_30_the_chosen_pack_is_not_what_it_was",
            ),
            FaultCase(
                "F-31",
                "No pack is left to be given",
                "None fits any more",
                "The rider's own is given back; no charge",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_31_no_pack_is_left",
            ),
            FaultCase(
                "F-32",
                "The full slot does not open",
                "As F-11",
                "The next best pack; the slot rests. Scanned again within `rescan_s`, it goes on from there",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_32_a_full_slot_that_does_not_open",
            ),
        ),
    ),
    CaseGroup(
        "The rider takes the pack",
        (
            FaultCase(
                "F-40",
                "The door stands open",
                "`take_s`",
                "Told. The rider answers for the pack since the door opened; once it is seen gone the session ends",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_40_taken_and_left_open",
            ),
            FaultCase(
                "F-41",
                "Shut with the pack still in",
                "Strictly full for `not_taken_s`",
                "Opened once more; then ended without charge. Scanned again within `rescan_s`, it goes on from there",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_41_left_in",
            ),
            FaultCase(
                "F-42",
                "Another pack is put in its place",
                "Another pack's code behind the shut door, and another charge, voltage, health or count of cycles: a "
                "code alone, or one that no pack can have, says nothing (F-13)",
                "The pack was taken, and is charged; the slot is locked",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_42_another_one_in_its_place",
            ),
            FaultCase(
                "F-43",
                "A door is forced",
                "Open, and neither a session nor a person has told it to",
                "Told; the slot is locked",
                f"{_REST}.forced",
                f"{_T_REST}::test_f_43_a_forced_door",
            ),
            FaultCase(
                "F-44",
                "A pack went out of sight in a session of the rider's, a brick in its place",
                "By the site's log: `vanished`, with the session, and not seen since",
                "Nothing is rented to that rider, and a swap takes in that pack alone: for others its door opens. "
                "Its coming back is noted, with the record since which it was missing. Staff (`fieldtill pack "
                "explained`) or headquarters (`pack lost`) may answer instead",
                f"{_WATCH}.advance",
                f"{_T_OUT}::test_f_44_a_pack_that_is_owed",
            ),
        ),
    ),
    CaseGroup(
        "At any time",
        (
            FaultCase(
                "F-50",
                "Smoke, fire, water, heat",
                "Inputs",
                "New sessions are refused, no further door opens; what runs ends without charge. Charging stops at "
                "once (the plant)",
                f"{_WATCH}.advance",
                f"{_T_REST}::test_f_50_an_alarm_in_mid_session",
            ),
            FaultCase(
                "F-54",
                "A pack vanishes, appears or changes behind a shut door",
                "The slot against the log",
                "Noted; the slot is locked where one has gone or changed",
                f"{_REST}.compare",
                f"{_T_REST}::test_f_54_a_pack_vanishes",
            ),
            FaultCase(
                "F-55",
                "The same over a power cut",
                "The slot against the log, when the daemon starts",
                "Noted; the slot is locked",
                f"{_REST}.compare",
                f"{_T_DEATH}::test_f_55_a_pack_that_changed_over_a_power_cut",
            ),
            FaultCase(
                "F-56",
                "Power cut, or the daemon dies, in mid-session",
                "An open session in the log",
                "Settled by what the sensors say: before the full door has opened the old pack stays, and a second "
                "scan goes on; after it the pack is the rider's. Of what stood behind a door nobody can tell: F-13",
                f"{_WATCH}.advance",
                f"{_T_DEATH}::test_f_56_killed_on_both_sides_of_every_step",
            ),
            FaultCase(
                "F-57",
                "The network is down",
                "-",
                "The site goes on within its rights; the log is sent when there is a link",
                "edge.shop.shop.Shop.start",
                f"{_T_IN}::test_f_29_without_headquarters",
            ),
            FaultCase(
                "F-58",
                "A command that comes twice, late or out of order",
                "Its number, its boot",
                "Refused: it runs at most once",
                "edge.till.command.vet",
                f"{_T_REST}::test_f_58_a_command_that_comes_twice",
            ),
            FaultCase(
                "F-60",
                "A whole line is dead",
                "Boards silent, doors that nobody can tell of",
                "Refused; a session that runs waits, then ends without charge",
                f"{_WATCH}.advance",
                f"{_T_REST}::test_f_60_a_dead_segment",
            ),
            FaultCase(
                "F-61",
                "A door that bounces, a noisy input",
                "Edges within `door_shut_ms`",
                "A door is shut once it has been for so long without a break, and open after `door_open_ms`",
                "edge.till.swap.slots.follow",
                f"{_T_PURE}::test_f_61_a_door_that_bounces",
            ),
            FaultCase(
                "F-62",
                "Headquarters does not acknowledge a settlement",
                "No cosignature",
                "The record is durable, and sent until it is acknowledged; it is posted once",
                "edge.sync.uplink.Uplink",
                f"{_T_IN}::test_f_29_without_headquarters",
            ),
            FaultCase(
                "F-63",
                "A reader repeats the same card",
                "A second tap of the rider whose session runs",
                "Nothing: it starts no second session, and ends none",
                "edge.shop.shop.Shop.tap",
                f"{_T_REST}::test_f_63_the_same_card_again",
            ),
            FaultCase(
                "F-64",
                "The clock is wrong",
                "Its quality in every stamp",
                "Order is the log's; waiting is by the monotonic clock, over a restart by the time that the box is up. "
                "A clock that was set back, or is not known, keeps nobody waiting, and is told",
                "edge.till.swap.rescan.since_ms",
                f"{_T_PURE}::test_f_64_a_clock_that_nobody_knows",
            ),
            FaultCase(
                "F-65",
                "The emergency stop is pressed",
                "Input",
                "As F-50",
                f"{_START}.open_swap",
                f"{_T_REST}::test_f_65_the_emergency_stop",
            ),
        ),
    ),
)

ELSEWHERE: dict[str, str] = {
    "F-51": "cell over-temperature, cells apart, short: charging stops, the slot is not charged again (`edge/plant`)",
    "F-52": "charger faults, a relay that is stuck, no current: the slot is not charged (`edge/plant`)",
    "F-53": "power budget exceeded: slots are put off (`edge/plant`)",
    "F-59": "two masters, address clash, collisions: framing errors, retries and back-off (`drivers/line.py`)",
}
"""Cases that are not the till's, and whose they are."""


def every_case() -> tuple[FaultCase, ...]:
    return tuple(case for group in GROUPS for case in group.cases)
