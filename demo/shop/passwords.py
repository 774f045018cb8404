"""How passwords are kept and checked."""

import hashlib
import hmac

# Far below what a real shop needs (2**14 and more): a login here should take a millisecond or two.
WORK_FACTOR = 2**10


def hash_password(name: str, password: str) -> bytes:
    """The account's name is the salt, so that the seed data comes out the same everywhere."""
    return hashlib.scrypt(password.encode(), salt=name.encode(), n=WORK_FACTOR, r=8, p=1, dklen=32)


def check_password(name: str, password: str, kept: bytes) -> bool:
    return hmac.compare_digest(hash_password(name, password), kept)
