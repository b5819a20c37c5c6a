"""Decrypt a private key with OpenSSL's own library: no program, no copy in Python's memory."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

from container.errors import ContainerError

_NAMES = ("libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so")


class KeyDecryptor:
    """The six functions of libcrypto that turn an encrypted PEM key into a plain PEM file."""

    def __init__(self) -> None:
        self._lib = _load()
        for name, result, arguments in (
            ("BIO_new_mem_buf", ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)),
            ("BIO_new_fd", ctypes.c_void_p, (ctypes.c_int, ctypes.c_int)),
            ("BIO_free", ctypes.c_int, (ctypes.c_void_p,)),
            ("PEM_read_bio_PrivateKey", ctypes.c_void_p, (ctypes.c_void_p,) * 4),
            ("PEM_write_bio_PKCS8PrivateKey", ctypes.c_int,
             (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int,
              ctypes.c_void_p, ctypes.c_void_p)),
            ("EVP_PKEY_free", None, (ctypes.c_void_p,)),
        ):  # fmt: skip
            function = getattr(self._lib, name)
            function.restype, function.argtypes = result, arguments

    def decrypt(self, encrypted: bytes, password: bytearray, target: int) -> bool:
        """Write the plain key to the file descriptor `target`; False for a wrong password.

        `password` ends with NUL and stays the only copy: C reads it where it lies.
        """
        source = self._lib.BIO_new_mem_buf(encrypted, len(encrypted))
        view = (ctypes.c_char * len(password)).from_buffer(password)
        key = self._lib.PEM_read_bio_PrivateKey(source, None, None, ctypes.addressof(view))
        del view  # a buffer that is still borrowed cannot be wiped by its owner
        self._lib.BIO_free(source)
        if not key:
            return False
        sink = self._lib.BIO_new_fd(target, 0)
        written = self._lib.PEM_write_bio_PKCS8PrivateKey(sink, key, None, None, 0, None, None)
        self._lib.BIO_free(sink)
        self._lib.EVP_PKEY_free(key)
        if written != 1:
            raise ContainerError("the decrypted key could not be written", code=os.EX_IOERR)
        return True


def _load() -> ctypes.CDLL:
    for name in _NAMES:
        with suppress(OSError):
            return ctypes.CDLL(name)
    raise ContainerError(
        "OpenSSL's libcrypto is not in this image", "install it", code=os.EX_UNAVAILABLE
    )
