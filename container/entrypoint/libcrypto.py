"""Decrypt a private key with OpenSSL's own library: no program, no copy in Python's memory."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from container.errors import ContainerError

_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so")
_FUNCTIONS = (
    ("BIO_new_mem_buf", ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)),
    ("BIO_new_fd", ctypes.c_void_p, (ctypes.c_int, ctypes.c_int)),
    ("BIO_free", ctypes.c_int, (ctypes.c_void_p,)),
    ("PEM_read_bio_PrivateKey", ctypes.c_void_p, (ctypes.c_void_p,) * 4),
    ("PEM_write_bio_PKCS8PrivateKey", ctypes.c_int,
     (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
      ctypes.c_void_p, ctypes.c_void_p)),
    ("EVP_PKEY_free", None, (ctypes.c_void_p,)),
)  # fmt: skip


def decrypt(encrypted: bytes, password: bytearray, target: int) -> bool:
    """Write an encrypted PEM key as plain PEM to a file descriptor; False for a wrong password.

    `password` ends with NUL and stays the only copy: C reads it where it lies.
    """
    lib = _library()
    for name, result, arguments in _FUNCTIONS:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    source = lib.BIO_new_mem_buf(encrypted, len(encrypted))
    view = (ctypes.c_char * len(password)).from_buffer(password)
    key = lib.PEM_read_bio_PrivateKey(source, None, None, ctypes.addressof(view))
    del view  # a buffer that is still borrowed cannot be wiped by its owner
    lib.BIO_free(source)
    if not key:
        return False
    sink = lib.BIO_new_fd(target, 0)
    written = lib.PEM_write_bio_PKCS8PrivateKey(sink, key, None, None, 0, None, None)
    lib.BIO_free(sink)
    lib.EVP_PKEY_free(key)
    if written != 1:
        raise ContainerError("the decrypted key could not be written", code=os.EX_IOERR)
    return True


def _library() -> ctypes.CDLL:
    for name in _NAMES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    raise ContainerError(
        "OpenSSL's libcrypto is not in this image", "install it", code=os.EX_UNAVAILABLE
    )
