"""Links and the server of a blind study: secrets stay secret, and what can not be served is told."""

import os
import socket
import stat

import pytest

from medgen_kit.errors import KitError
from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import store
from medgen_kit.evaluate.study.invitations import links_path, tokens


def test_links_are_secret_and_can_be_renewed(folder):
    assert study.add_raters(folder, 2) == ["rater-1", "rater-2"] and study.add_raters(folder, 1) == ["rater-3"]
    known = tokens(folder)
    assert len(set(known.values())) == 3 and min(map(len, known.values())) >= 32
    assert links_path(folder).parent == folder.parent
    if os.name != "nt":
        assert stat.S_IMODE(links_path(folder).stat().st_mode) == 0o600
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not any(token.encode() in everything for token in known.values())
    assert [store.rater_of(folder, token) for token in known.values()] == list(known)
    assert [store.rater_of(folder, wrong) for wrong in ("", "x", "rater-1", None)] == [None] * 4
    study.renew(folder, "rater-2")
    assert store.rater_of(folder, known["rater-2"]) is None and store.rater_of(folder, tokens(folder)["rater-2"]) == "rater-2"
    assert [row["link"] for row in study.links(folder, "https://x.org/")] == [f"https://x.org/?rater={t}" for t in tokens(folder).values()]
    with pytest.raises(KitError, match="not a rater of this study"):
        study.renew(folder, "rater-9")


def test_serving_tells_what_is_open_and_what_is_missing(folder, monkeypatch):
    from medgen_kit.evaluate.study import server

    for name in (server.STUDY, "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))                          # put back afterwards
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(KitError, match="can not be used .* --port 8877"):
            study.serve(folder, taken.getsockname()[1])
        port = taken.getsockname()[1]
    with pytest.raises(KitError, match="holds no study"):
        study.serve(folder.parent, port)
    said = []
    monkeypatch.setattr(server.StudyServer, "initialize", lambda self, argv: None)
    monkeypatch.setattr(server.StudyServer, "start", lambda self: said.append(f"started {self.ip} {self.port}"))
    study.serve(folder, port, "0.0.0.0", said.append)
    assert any("only lock" in line and "TLS" in line for line in said) and any("No rater has a link yet" in line for line in said)
    assert said[-1] == f"started 0.0.0.0 {port}"
    said.clear()
    study.add_raters(folder, 1)
    study.serve(folder, port, say=said.append)
    assert len(said) == 2 and said[0].startswith(f"Serving on http://127.0.0.1:{port}/") and said[1] == f"started 127.0.0.1 {port}"
