"""Secrets in addresses: passwords and tokens of URLs are blotted out of whatever is printed, logged or kept.

Where a text can be read in two ways, the cautious one counts: an ``@`` behind a ``?`` may end a password or stand in a
token, so all of such an address goes. Ordinary text, paths, ``sqlite:///a/b.db`` and ``models:/x/1`` stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import unquote

WAY_OUT = (
    "holds a password or a token, and settings are kept with every trial; put the address into MLFLOW_TRACKING_URI, or "
    "the password into MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (MLFLOW_TRACKING_TOKEN; PGPASSWORD or "
    "~/.pgpass for PostgreSQL)"
)
_BLOT = "***"
_WORD = re.compile(r"[^ \t\r\n\f\v]+")  # of ASCII: any other space could be part of a password
_SCHEME = re.compile(r"[A-Za-z][\w+.\-]{0,40}\Z")
_NAME = re.compile(r"[A-Za-z_][\w.\-]{0,62}")
_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:(?:\d+\W{0,3}|\*\*\*)?)?")  # a host, and the port behind it
_END = re.compile(r"[)\]}>'\".,:]{0,3}")  # what a sentence puts behind an address
_ROUTE = re.compile(r"/experiments(?:/\d+)?(?:/runs(?:/[0-9a-f]{32})?)?")  # of MLflow's pages
_SIGNS = re.compile(r"([?&;#])")
_LOCAL = ("sqlite", "file")  # followed by a path: nobody logs in
_NO_PORT = ("databricks", "docker")  # a colon behind the host is followed by a name
_USERS = (  # a name alone before the @ is a user's, or a container's; elsewhere it is a token
    *("postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "cockroachdb", "redshift"),
    *("ssh", "sftp", "git", "abfs", "abfss", "wasb", "wasbs"),
)
_HARMLESS = re.compile(  # names in a query whose values anybody may see
    r"application_name|autocommit|cached?(_statements)?|charset|check_same_thread|client_encoding|collation"
    r"|comparerunsmode|(connect|connection|read|write)?_?timeout|database|dbname|detect_types|driver|encoding|encrypt"
    r"|host|hostaddr|immutable|isolation_level|keepalives(_count|_idle|_interval)?|max_results|mode|nolock"
    r"|orderby(asc|key)|page|pool_(recycle|size)|port|schema|server_side_cursors|ssl|ssl_?mode|sslrootcert"
    r"|target_session_attrs|trustservercertificate|uri|user|username|version|vfs|workflowtype",
    re.IGNORECASE,
)
_TELLING = r"[\w.\-]*(?:passw|pwd|token|secret|api_?key|access_?key|credential|signature)[\w.\-]*"
_BARE = re.compile(  # of an address without its beginning, or of a database's own words
    rf"((?:[?&]{_TELLING}|(?<![\w.])(?:ssl)?(?:password|passwd|pwd))=)(.+)", re.IGNORECASE
)
_SHORTEST = 4  # letters of a part of a secret that is looked for outside its address
_Parts = list[tuple[str, bool]]  # a text in pieces, each with whether it is secret


def redacted(text: object, *known: str) -> str:
    """Blot out every secret of every URL in a text; a text without any comes back as it is.

    Args:
        text: Anything that is printed, logged or kept.
        known: Addresses whose secrets are blotted out wherever they stand: libraries take addresses apart in their
            messages.
    """
    found = _WORD.sub(lambda word: "".join(_BLOT if secret else part for part, secret in _parts(word[0])), str(text))
    for piece in sorted({piece for url in known for piece in _pieces(url)}, key=len, reverse=True):
        found = found.replace(piece, _BLOT)
    return found


def secrets_in(text: str) -> bool:
    """Is there anything in a text that :func:`redacted` blots out?"""
    return redacted(text) != text


def holders(settings: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts within settings that hold a secret: dotted keys, and the texts without their secrets."""
    if isinstance(settings, str):
        if secrets_in(settings):
            yield key, redacted(settings)
        return
    inner: Iterator[tuple[object, Any]] = iter(())
    if is_dataclass(settings):
        inner = ((one.name, getattr(settings, one.name)) for one in fields(settings))
    elif isinstance(settings, Mapping):
        inner = ((name, settings[name]) for name in settings)
    elif isinstance(settings, (list, tuple)):
        inner = enumerate(settings)
    for name, one in inner:
        yield from holders(one, f"{key}.{name}" if key else str(name))


def _pieces(url: str) -> Iterator[str]:
    """The secrets of an address, whole and in parts, as written and decoded."""
    for word in _WORD.findall(url):
        for part in (part for part, secret in _parts(word) if secret):
            for text in (part, unquote(part)):
                yield from (one for one in (text, *re.split(r"\W+", text)) if len(one) >= _SHORTEST)


def _parts(word: str) -> _Parts:
    at = word.find("://")
    if at >= 0 and not any(secret for _, secret in _bare(word[: at + 3])):
        scheme = _SCHEME.search(word[max(0, at - 41) : at])
        base = scheme[0].lower().partition("+")[0] if scheme else ""
        return [(word[: at + 3], False), *_address(base, word[at + 3 :])]
    if "@" in word and (start := re.match(r"['\"(<\[]*//", word)):  # without its scheme
        return [(start[0], False), *_address("", word[start.end() :])]
    return _bare(word)


def _bare(word: str) -> _Parts:
    """Of a word without a whole address: a value whose name tells that it is secret, and all behind it."""
    match = _BARE.search(word)
    if match is None:
        return [(word, False)]
    return [(word[: match.start(2)], False), (match[2], match[2] != _BLOT)]


def _address(base: str, rest: str) -> _Parts:
    """What follows ``scheme://``: who logs in, where, and what is asked for."""
    local = base in _LOCAL and rest.startswith("/")
    login, at, place = ("", "", rest) if local else rest.rpartition("@")
    if re.search("[?#;]", login) and not _is_login(login):
        return [(rest, True)]
    sign = re.search("[?#]" if local else "[?#;]", place)
    end = sign.start() if sign else len(place)
    where = [(place[:end], False)] if local or base in _NO_PORT else _place(place[:end])
    return [*_login(base, login), (at, False), *where, *_question(place[end:])]


def _is_login(text: str) -> bool:
    """Is what stands before an ``@`` a login for sure, whatever signs it has? (no host has such a port)"""
    first = re.split("[/?#]", text, maxsplit=1)[0]
    return "@" not in first and _PORT.fullmatch(first) is None


def _login(base: str, text: str) -> _Parts:
    name, colon, password = text.partition(":")
    if base in _USERS and _NAME.fullmatch(name):
        return [(name + colon, False), (password, password not in ("", _BLOT))]
    return [(text, text not in ("", _BLOT))]


def _place(text: str) -> _Parts:
    """Host, port and path; what is no port was a password, of an address that lost its end."""
    host, slash, path = text.partition("/")
    if _PORT.fullmatch(host):
        return [(text, False)]
    name, _, port = host.partition(":")
    return [(f"{name}:", False), (port, port != _BLOT), (slash + path, False)]


def _question(text: str) -> _Parts:
    """A query and a fragment: from the first value on that is not known to be harmless, all is secret."""
    pieces, at = _SIGNS.split(text), 0  # what stands between signs, and every other one a sign
    for number, piece in enumerate(pieces):
        name, equals, value = piece.partition("=")
        inside = 0 < number < len(pieces) - 1
        if not (
            number % 2
            or (not piece and not inside)
            or piece == _BLOT
            or (number > 1 and pieces[number - 1] == "#" and _ROUTE.fullmatch(piece))
            or (equals and (value == _BLOT or _HARMLESS.fullmatch(name)))
            or (not inside and _END.fullmatch(piece))
        ):
            if _NAME.fullmatch(name) and value.strip("="):  # else a token without a name; one in base 64 ends in =
                at += len(name) + 1
            return [(text[:at], False), (text[at:], True)]
        at += len(piece)
    return [(text, False)]
