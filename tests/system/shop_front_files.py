"""What stands in the shop front of the system tests: its twins' file, its config, its people and its places."""

CABINET = "cab-1"
SLOTS = 6
SINGLE_FEN = 350
SPEED = 2
"""How much faster doors, hands and batteries move than the wires to them: no door is open for less than a second, which
a busy machine might not see."""
CARDS = {"li": "04A1B2C3D4", "wang": "04C0FFEE01", "zhao": "0455667788"}
"""Each brings a pack."""
PORTS = {"rack": "rack.3", "yard": "yard.2", "pile": "pile.1"}
"""By board, the place that a test uses: on RS-485, on TCP, and a pile's gun."""

TWINS = """
[shop]
speed = {speed}
ambient_dc = 220
writes = "{home}/shop.toml"

[[shop.board]]
id = "locks"
protocol = "xor"
line = "locks"
feedback = "nc"
poll_s = 0.15

[[shop.board]]
id = "io"
protocol = "relay"
line = "io"
address = 3
poll_s = 0.15
options = {{ relays = 8, inputs = 16 }}

[[shop.cabinet]]
id = "cab-1"
pack_poll_s = 3
inputs = {{ smoke = ["io/13"] }}
slot = [{{ number = 1, count = {slots}, lock = "locks/1", door_open = "not io/1", present = "io/7", charger = "io/1", \
charge_power_w_max = 600, pack = {{ protocol = "greenway", line = "pack-{{slot}}" }} }}]

[[shop.twin]]
cabinet = "cab-1"
seed = 1

[[shop.pack]]
number = 1
count = 4
cabinet = "cab-1"
slot = 3
soc_permille = 960
{people}
[[shop.reader]]
id = "door"
cabinet = "cab-1"
link = "{home}/door"

[[port_board]]
id = "rack"
device = 11_220_795
address = 20
link = "{home}/rack"
speed = 200

[[port_board]]
id = "yard"
device = 11_220_796
port = {dny_port}
speed = 200

[[pile]]
id = "pile"
code = "32010200000001"
port = {ykc_port}
speed = 5
"""

CONFIG = """
site = "hz-0001"
data_dir = "data"
ballast_mb = 1

[hq]
url = "https://127.0.0.1:{hq_port}"
keys_file = "hq.vkeys"
ca_file = "../hq/tls/ca.pem"
poll_s = 1.0
timeout_s = 3.0
ask_timeout_s = 1.5

[swap]
interval_s = 0
door_shut_ms = 600
put_in_s = 15
not_put_in_s = 3
not_taken_s = 3
take_s = 15
hold_s = 10
pulse_apart_s = 2
wake_apart_s = 2

[ports]
price = "bikes"
board_prices = {{ pile = "cars" }}
fill_up_cap_fen = 500

{shop}
[[line]]
id = "rack"
path = "{home}/rack"
baud = 9600

[[port_board]]
id = "rack"
number = 1
protocol = "dny"
line = "rack"
device = 11_220_795
address = 20
ports = 10
options = {{ poll_s = 0.2, answer_s = 3.0, gap_s = 0.1, floating = {{ detect_s = 120, float_s = 120 }} }}

[[listener]]
id = "yard"
host = "127.0.0.1"
port = {dny_port}
peers = ["127.0.0.1"]

[[port_board]]
id = "yard"
number = 3
protocol = "dny-tcp"
listener = "yard"
device = 11_220_796
ports = 10
options = {{ answer_s = 3.0, gap_s = 0.1, floating = {{ detect_s = 120, float_s = 120 }} }}

[[ykc]]
id = "piles"
host = "127.0.0.1"
port = {ykc_port}

[[ykc.pile]]
id = "pile"
number = 2
code = "32010200000001"
guns = 1
poll_s = 1
tick_s = 0.2

[[reader]]
id = "door"
cabinet = "cab-1"
path = "{home}/door"
"""
