"""Whole reads of packs, byte for byte: what the gateway asks, and what it makes of frames that packs have sent."""

from __future__ import annotations

from datetime import date

import pytest
from pack_rig import Script, slot

from protocols.fieldbus.pack import Alarm, Flow, PackReading

GREENWAY = """
>> 46 16 01 09 04 6A
<< 47 16 01 09 04 6B F2 00 00 C8                62.059 V
>> 46 16 01 0A 04 6B
<< 47 16 01 0A 04 B7 FA FF FF 1B                -1.353 A
>> 46 16 01 0D 01 6B
<< 47 16 01 0D 01 4B B7                         75 %
>> 46 16 01 08 08 6D
<< 47 16 01 08 08 17 17 18 00 19 19 00 00 E6    23, 23, 24 C; switches 25 C
>> 46 16 01 16 0A 7D
<< 47 16 01 16 0A 00 00 00 00 00 00 00 00 00 00 7E    no flags
>> 46 16 01 23 20 A0
<< 47 16 01 23 20 30 74 31 38 58 30 36 33 31 31 36 39 30 32 32 32 36 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 6C
>> 46 16 01 0E 01 6C
<< 47 16 01 0E 01 64 D1                         100 % of its health
>> 46 16 01 17 04 78
<< 47 16 01 17 04 4E 00 00 00 C7                78 cycles
>> 46 16 01 10 04 71
<< 47 16 01 10 04 28 8A 00 00 24                35.368 Ah when full
>> 46 16 01 18 04 79
"""

JBD = """
>> DD A5 03 00 FF FD 77
<< DD 03 00 1B 17 00 00 00 02 D0 03 E8 00 00 20 78 00 00 00 00 00 00 10 48 03 0F 02 0B 76 0B 82 FB FF 77
>> DD A5 A2 00 FF 5E 77
<< DD A2 00 18 42 54 31 30 36 30 30 32 35 31 32 4E 4E 54 42 32 31 31 31 31 38 31 38 32 FA 96 77
>> DD A5 05 00 FF FB 77
<< DD 05 00 0A 30 31 32 33 34 35 36 37 38 39 FD E9 77
"""

JK = """
>> 4E 57 00 13 00 00 00 00 06 02 00 00 00 00 00 00 68 00 00 01 28
<< 4E 57 01 1B 00 00 00 00 06 00 01 79 2A 01 0E ED 02 0E FA 03 0E F7 04 0E EC 05 0E F8 06 0E FA 07 0E F1 \
08 0E F8 09 0E E3 0A 0E FA 0B 0E F1 0C 0E FB 0D 0E FB 0E 0E F2 80 00 1D 81 00 1E 82 00 1C 83 14 EF \
84 80 D0 85 0F 86 02 87 00 04 89 00 00 00 00 8A 00 0E 8B 00 00 8C 00 07 8E 16 26 8F 10 AE 90 0F D2 \
91 0F A0 92 00 05 93 0B EA 94 0C 1C 95 00 05 96 01 2C 97 00 07 98 00 03 99 00 05 9A 00 05 9B 0C E4 \
9C 00 08 9D 01 9E 00 5A 9F 00 46 A0 00 64 A1 00 64 A2 00 14 A3 00 46 A4 00 46 A5 FF EC A6 FF F6 \
A7 FF EC A8 FF F6 A9 0E AA 00 00 00 0E AB 01 AC 01 AD 04 11 AE 01 AF 01 B0 00 0A B1 14 B2 31 32 33 \
34 35 36 00 00 00 00 B3 00 B4 49 6E 70 75 74 20 55 73 B5 32 31 30 31 B6 00 00 E2 00 B7 48 36 2E 58 \
5F 5F 53 36 2E 31 2E 33 53 5F 5F B8 00 B9 00 00 00 00 BA 42 54 33 30 37 32 30 32 30 31 32 30 30 30 \
30 32 30 30 35 32 31 30 30 31 C0 01 00 00 00 00 68 00 00 54 D1
"""

DALY = """
>> A5 40 90 08 00 00 00 00 00 00 00 00 7D
<< A5 01 90 08 02 41 00 00 74 C1 03 DF 98       57.7 V, -11.1 A, 99.1 %
>> A5 40 93 08 00 00 00 00 00 00 00 00 80
<< A5 01 93 08 00 01 01 00 00 00 16 26 7F       idle, both switches on, 5.670 Ah
>> A5 40 92 08 00 00 00 00 00 00 00 00 7F
<< A5 01 92 08 41 01 3F 02 00 00 00 00 C3       25 C and 23 C
>> A5 40 91 08 00 00 00 00 00 00 00 00 7E
<< A5 01 91 08 0E 96 02 0E 90 01 00 00 84       3734 and 3728 mV
>> A5 40 98 08 00 00 00 00 00 00 00 00 85
<< A5 01 98 08 00 00 00 00 00 00 00 00 46       no alarm
>> A5 40 94 08 00 00 00 00 00 00 00 00 81
<< A5 01 94 08 0E 01 00 00 02 00 15 00 68       14 cells, 1 sensor, 21 cycles
>> A5 40 57 08 00 00 00 00 00 00 00 00 44
<< A5 01 57 08 01 42 54 31 30 36 30 30 93 A5 01 57 08 02 32 35 31 32 4E 4E 54 C1 A5 01 57 08 03 42 32 31 31 31 31 \
38 78 A5 01 57 08 04 31 38 32 00 00 00 00 A4 A5 01 57 08 05 00 00 00 00 00 00 00 0A
>> A5 40 50 08 00 00 00 00 00 00 00 00 3D
<< A5 01 50 08 00 00 61 A8 00 00 00 00 07       25 Ah
"""

DALY_MODBUS = """
>> D2 03 00 00 00 50 56 55
<< D2 03 A0 0C D1 0C D2 0C D3 0C D3 0C D3 0C D2 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 0C D3 \
0C D3 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 \
00 00 35 00 35 00 35 00 35 00 00 00 00 00 00 00 00 02 0D 75 17 02 31 0C D3 0C D1 00 35 00 35 00 02 \
04 9A 00 10 00 04 00 3C 00 00 00 01 00 01 0C D2 00 02 00 83 00 00 00 00 00 00 00 00 00 00 00 00 75 \
30 00 00 00 37 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 54 55
"""

PACE = """
>> ~25014642E00201FD30
<< ~25014600F07A0001100CC70CC80CC70CC70CC70CC50CC60CC70CC70CC60CC70CC60CC60CC70CC60CC7060B9B0B990B990B990BB30BBCFF1\
FCCCD12D303286A008C2710E1E4
>> ~25014644E00201FD2E
<< ~25014600004C000110000000000000000000000000000000000600000000000000000000000E000000000000EF3A
>> ~250146C20000FD99
<< ~25014600B05031383132313031333830333039442020202020202020202020202020202020202020202020202020EE0F
"""

SEPLOS = """
>> ~20004642E00200FD37
<< ~2000460010960001100CD70CE90CF40CD60CEF0CE50CE10CDC0CE90CF00CE80CEF0CEA0CDA0CDE0CD8060BA60BA00B970BA60BA50BA2FD5\
C14A0344E0A426803134650004603E8149F0000000000000000DC6C
"""

NONE = frozenset[Alarm]()
READ = [
    (
        "greenway",
        GREENWAY,
        {},
        PackReading(
            serial="0t18X063116902226", voltage_mv=62_059, current_ma=-1_353, soc_permille=750, soh_permille=1_000,
            cycles=78, full_mah=35_368, temps_dc=(230, 230, 240), mos_temp_dc=250, warnings=NONE, protections=NONE,
        ),
    ),
    (
        "jbd",
        JBD,
        {},
        PackReading(
            serial="BT106002512NNTB211118182", hardware="0123456789", software="1.0", made_on=date(2016, 3, 24),
            voltage_mv=58_880, current_ma=0, soc_permille=720, remaining_mah=7_200, design_mah=10_000, cycles=0,
            temps_dc=(203, 215), charge_on=True, discharge_on=True, protections=NONE,
        ),
    ),
    (
        "jk4e57",
        JK,
        {},
        PackReading(
            serial="BT3072020120000200521001", software="H6.X__S6.1.3S__", voltage_mv=53_590, current_ma=2_080,
            soc_permille=150, design_mah=14_000, cycles=4,
            cells_mv=(3821, 3834, 3831, 3820, 3832, 3834, 3825, 3832, 3811, 3834, 3825, 3835, 3835, 3826),
            temps_dc=(280,), mos_temp_dc=290, case_temp_dc=300, charge_on=True, discharge_on=True, warnings=NONE,
            protections=NONE,
        ),
    ),
    (
        "daly",
        DALY,
        {},
        PackReading(
            serial="BT106002512NNTB211118182", voltage_mv=57_700, current_ma=11_100, soc_permille=991,
            remaining_mah=5_670, design_mah=25_000, cycles=21, cell_mv_max=3_734, cell_mv_min=3_728, temp_dc_max=250,
            temp_dc_min=230, charge_on=True, discharge_on=True, flow=Flow.IDLE, warnings=NONE, protections=NONE,
        ),
    ),
    (
        "daly-modbus",
        DALY_MODBUS,
        {"registers": 80},
        PackReading(
            voltage_mv=52_500, current_ma=-2_500, soc_permille=561, remaining_mah=117_800, cycles=60,
            cells_mv=(3281, 3282, 3283, 3283, 3283, 3282, *[3283] * 10), temps_dc=(130,) * 4, charge_on=True,
            discharge_on=True, flow=Flow.DISCHARGING, warnings=NONE, protections=NONE,
        ),
    ),
    (
        "pace",
        PACE,
        {},
        PackReading(
            serial="1812101380309D", voltage_mv=52_429, current_ma=-2_250,
            remaining_mah=48_190, full_mah=103_460, design_mah=100_000, cycles=140,
            cells_mv=(3271, 3272, 3271, 3271, 3271, 3269, 3270, 3271, 3271, 3270, 3271, 3270, 3270, 3271, 3270, 3271),
            temps_dc=(241, 239, 239, 239, 265, 274), charge_on=True, discharge_on=True, flow=Flow.DISCHARGING,
            warnings=NONE, protections=NONE,
        ),
    ),
    (
        "seplos",
        SEPLOS,
        {},
        PackReading(
            voltage_mv=52_800, current_ma=-6_760, soc_permille=787, soh_permille=1_000, remaining_mah=133_900,
            full_mah=170_000, design_mah=180_000, cycles=70,
            cells_mv=(3287, 3305, 3316, 3286, 3311, 3301, 3297, 3292, 3305, 3312, 3304, 3311, 3306, 3290, 3294, 3288),
            temps_dc=(251, 245, 236, 251, 250, 247),
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("protocol", "dialogue", "options", "reading"), READ, ids=[row[0] for row in READ])
async def test_a_whole_read(protocol: str, dialogue: str, options: dict[str, object], reading: PackReading) -> None:
    """Captured frames through line and link; a second read asks only for what changes."""
    pack = Script(dialogue)
    timeout = {"timeout_ms": 60} if protocol in ("greenway", "daly", "daly-modbus") else {}  # has silent questions
    async with slot(pack, protocol, options=options, **timeout) as it:
        assert await it.read() == reading
        asked = len(pack.heard)
        assert await it.read() == reading
        assert len(set(pack.heard[asked:])) == FAST[protocol]


FAST = {"greenway": 5, "jbd": 1, "jk4e57": 1, "daly": 5, "daly-modbus": 1, "pace": 2, "seplos": 1}
"""Questions that every read costs."""
