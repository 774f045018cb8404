"""The goods and accounts that a new shop starts with: always the same ones."""

import sqlite3
import struct
import zlib

from .passwords import hash_password

# name, staff; the password is the name with "-password".
STAFF = ("ada", "margaret")
CUSTOMERS = ("grace", "edsger", "barbara", "donald", "frances", "jean", "ken", "radia", "tony")
ACCOUNTS = (*((name, True) for name in STAFF), *((name, False) for name in CUSTOMERS))

# name, description, price in cents, stock, tags
ITEMS = (
    ("Teapot", "Short and stout, 0.8 l", 2950, 12, ("kitchen", "ceramic")),
    ("Kettle", "Whistles in G", 3400, 8, ("kitchen", "steel")),
    ("Café press", "Glass and steel, for three cups", 2790, 20, ("kitchen", "glass", "steel")),
    ("Mug", None, 850, 120, ("kitchen", "ceramic")),
    ("Käsehobel", "A cheese slicer; the name says it better", 1490, 35, ("kitchen", "steel")),
    ("Bread knife", "Serrated, 22 cm", 2650, 15, ("kitchen", "steel")),
    ("Chopping board", "Beech, oiled", 1995, 18, ("kitchen", "wood")),
    ("Salad bowl", "Olive wood, each one different", 5900, 4, ("kitchen", "wood")),
    ("Carafe", "1.2 l, with a cork", 1850, 22, ("glass", "kitchen")),
    ("Candle", "Burns for 40 hours", 690, 300, ("living",)),
    ("Desk lamp", "Arm of 60 cm, without bulb", 7900, 6, ("living", "steel")),
    ("Bookend", "A pair, cast iron", 3200, 9, ("living", "office")),
    ("Wool blanket", "130 x 200 cm", 8900, 7, ("living", "textile")),
    ("Cushion", None, 2400, 40, ("living", "textile")),
    ("Doormat", "Coir, 40 x 60 cm", 1650, 25, ("textile",)),
    ("Notebook", "A5, 192 pages, dotted", 1290, 80, ("office", "paper")),
    ("Pencil", "HB, by the dozen", 480, 150, ("office", "wood")),
    ("Fountain pen", "Medium nib; ink is extra", 4500, 10, ("office", "steel")),
    ("Ink, blue", "50 ml", 990, 33, ("office",)),
    ("Envelopes", "C6, 25 of them", 550, 60, ("office", "paper")),
    ("Wrapping paper", "Three sheets, 50 x 70 cm", 420, 90, ("paper",)),
    ("Umbrella", "Wind-proof, says the maker", 3900, 14, ("travel",)),
    ("Flask", "Keeps tea hot for 12 hours", 2990, 0, ("steel", "travel")),
    ("Rucksack", "18 l, waxed cotton", 11900, 5, ("textile", "travel")),
)

# Ids of the items that have a picture, and its edge in pixels: 256 makes a file of about 200 KB.
PICTURES = ((1, 256), (3, 256), (4, 24))

# item, author, stars, text; authors of the shop that was here before have no account.
REVIEWS = (
    (3, "Anna", 5, "Three cups, as it says. Every morning."),
    (3, "Boris", 4, "Good coffee, hard to clean"),
    (3, "Chloé", 5, "Très bien"),
    (3, "Dilek", 2, "The glass broke after a week"),
    (3, "Emil", 4, ""),
    (3, "Fatima", 5, "Replaced the glass, still like it"),
    (3, "Georg", 3, "Too small for four"),
    (3, "Hana", 5, "とても良い"),
    (3, "Ivo", 4, "Works with tea, too"),
    (3, "Jun", 1, "Arrived without the lid, and the letter about it came back twice"),
    (3, "Kofi", 4, "Lid arrived. Fine now."),
    (3, "Lena", 5, "A present; she uses it"),
    (1, "Anna", 4, "Short and stout indeed"),
    (1, "Ivo", 5, "Pours without a drip, hot or cold"),
    (1, "Mira", 3, "The handle gets hot"),
    (11, "Boris", 5, "The arm stays where one puts it"),
    (11, "Nils", 4, "Bring your own bulb"),
    (22, "Olga", 1, "The maker says it, the wind does not"),
)


def draw_picture(item_id: int, edge: int) -> bytes:
    """A PNG of coloured bands. Its data is stored and not compressed, so that every zlib makes the same bytes."""
    rows = bytearray()
    for y in range(edge):
        rows.append(0)
        for x in range(edge):
            rows += bytes(((x * 5 + item_id * 40) % 256, (x ^ y) % 256, (y * 3 + item_id * 20) % 256))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def fill(connection: sqlite3.Connection) -> None:
    connection.executemany(
        "INSERT INTO accounts VALUES (?, ?, ?)",
        [(name, hash_password(name, f"{name}-password"), staff) for name, staff in ACCOUNTS],
    )
    for item_id, (name, description, price, stock, tags) in enumerate(ITEMS, 1):
        connection.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?)", (item_id, name, description, price, stock))
        connection.executemany("INSERT INTO tags VALUES (?, ?)", [(item_id, tag) for tag in tags])
    connection.executemany(
        "INSERT INTO pictures VALUES (?, ?, 'image/png', ?, ?)",
        [(item_id, f"{ITEMS[item_id - 1][0]}.png", ITEMS[item_id - 1][0], draw_picture(item_id, edge)) for item_id, edge in PICTURES],
    )
    connection.executemany("INSERT INTO reviews (item_id, author, stars, text) VALUES (?, ?, ?, ?)", REVIEWS)
