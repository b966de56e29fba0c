"""The emoji of key verification (client-server API, "SAS method: emoji")."""

from typing import Final

# In the order of the specification; people compare the pictures, or these English names.
_TABLE: Final = """
🐶 Dog, 🐱 Cat, 🦁 Lion, 🐎 Horse, 🦄 Unicorn, 🐷 Pig, 🐘 Elephant, 🐰 Rabbit,
🐼 Panda, 🐓 Rooster, 🐧 Penguin, 🐢 Turtle, 🐟 Fish, 🐙 Octopus, 🦋 Butterfly, 🌷 Flower,
🌳 Tree, 🌵 Cactus, 🍄 Mushroom, 🌏 Globe, 🌙 Moon, ☁️ Cloud, 🔥 Fire, 🍌 Banana,
🍎 Apple, 🍓 Strawberry, 🌽 Corn, 🍕 Pizza, 🎂 Cake, ❤️ Heart, 😀 Smiley, 🤖 Robot,
🎩 Hat, 👓 Glasses, 🔧 Spanner, 🎅 Santa, 👍 Thumbs Up, ☂️ Umbrella, ⌛ Hourglass, ⏰ Clock,
🎁 Gift, 💡 Light Bulb, 📕 Book, ✏️ Pencil, 📎 Paperclip, ✂️ Scissors, 🔒 Lock, 🔑 Key,
🔨 Hammer, ☎️ Telephone, 🏁 Flag, 🚂 Train, 🚲 Bicycle, ✈️ Aeroplane, 🚀 Rocket, 🏆 Trophy,
⚽ Ball, 🎸 Guitar, 🎺 Trumpet, 🔔 Bell, ⚓ Anchor, 🎧 Headphones, 📁 Folder, 📌 Pin
"""
_BITS: Final = 6  # that choose one of 64
_SHOWN: Final = 7
EMOJI_BYTES: Final = 6  # hold the bits of those that are shown, and six more


def _read(entry: str) -> tuple[str, str]:
    picture, _, name = entry.strip().partition(" ")
    return picture, name


EMOJI: Final = tuple(_read(entry) for entry in _TABLE.split(","))


def emoji_of(generated: bytes) -> list[tuple[str, str]]:
    """Seven pictures with their names, from the first 42 bits of `EMOJI_BYTES` bytes."""
    bits = int.from_bytes(generated[:EMOJI_BYTES], "big")
    first = EMOJI_BYTES * 8 - _BITS
    return [EMOJI[bits >> (first - _BITS * place) & 63] for place in range(_SHOWN)]
