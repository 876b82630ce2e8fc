"""Links and the server of a blind study: secrets stay secret, and what can not be served is told."""

import http.client
import logging
import os
import re
import socket
import stat

import numpy as np
import pytest
from typer.testing import CliRunner

from medgen_kit import video
from medgen_kit.cli import typed
from medgen_kit.errors import KitError
from medgen_kit.evaluate import study
from medgen_kit.evaluate.study import making, store
from medgen_kit.evaluate.study.invitations import links_path, tokens
from tests.browser.served import Server, free_port
from tests.evaluate.small_study import items


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


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_key_and_links_are_private_from_their_first_byte(tmp_path, monkeypatch):
    rename, seen = os.replace, {}

    def watched(part, path):
        seen[path.name] = stat.S_IMODE(os.stat(part).st_mode)                         # before the file has its name
        rename(part, path)
    monkeypatch.setattr(os, "replace", watched)
    before = os.umask(0)
    try:
        folder = study.make(tmp_path / "study", items(1))
        study.add_raters(folder, 1)
        study.renew(folder, "rater-1")
    finally:
        os.umask(before)
    for path in (study.key_path(folder), links_path(folder)):
        assert seen[path.name] == stat.S_IMODE(path.stat().st_mode) == 0o600
    assert making.read_key(folder)["names"] == ["generated", "real"]


def said(*words):
    return CliRunner().invoke(typed, ["study", *map(str, words)]).output


def test_a_lost_list_of_links_is_told_and_not_replaced(folder):
    assert "No rater has a link yet" in said("links", folder) and not links_path(folder).exists()
    study.add_raters(folder, 2)
    kept = links_path(folder).read_text()
    assert "can not" not in said("links", folder) and "Put the list back" not in said("links", folder)
    assert links_path(folder).read_text() == kept
    links_path(folder).unlink()
    told = said("links", folder)
    assert "No rater has a link yet" not in told and "rater-1, rater-2: a link was given" in told and "--renew rater-1" in told
    assert not links_path(folder).exists()                                            # looking writes nothing
    said("links", folder, "--add", 1)
    told = said("links", folder)
    assert told.count("/?rater=") == 1 and "rater-1, rater-2: a link was given" in told
    said("links", folder, "--renew", "rater-1")
    assert "rater-2: a link was given" in said("links", folder) and list(tokens(folder)) == ["rater-3", "rater-1"]
    links_path(folder).write_text("something else\n1\n")
    with pytest.raises(KitError, match="is no list of links"):
        study.links(folder)


def test_a_host_that_is_not_here_is_not_blamed_on_the_port(folder):
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(KitError, match=f"{re.escape(host)} is no address of this machine.*--host 127.0.0.1") as told:
            study.serve(folder, 8866, host)
        assert "--port" not in str(told.value)


def test_a_missing_study_is_told_by_every_command(tmp_path):
    for command in ("links", "serve", "export"):
        failed = CliRunner().invoke(typed, ["study", command, str(tmp_path / "none")]).exception
        assert isinstance(failed, KitError) and "holds no study" in str(failed)


def test_reports_hold_no_query():
    from medgen_kit.evaluate.study.server import no_query

    for text, args, left in (("403 POST %s (x): y", ("/?rater=abc_-1",), "403 POST /?... (x): y"),
                             ("HTTPServerRequest(uri='/a?rater=abc', method='GET')", (), "HTTPServerRequest(uri='/a?...', method='GET')"),
                             ("what else?", (), "what else?...")):
        record = logging.LogRecord("tornado.general", logging.WARNING, "", 0, text, args, None)
        assert no_query(record) and record.getMessage() == left


def test_no_request_brings_a_token_or_a_traceback_to_the_terminal(folder):
    rater, = study.add_raters(folder, 1)
    token, server, got = tokens(folder)[rater], Server(folder), []
    server.start()
    kernel = "/api/kernels/aaaaaaaa-0000-0000-0000-000000000000"
    for method, place in (("POST", "/"), ("PUT", "/"), ("GET", "/voila/templates/web/page.js"), ("GET", "/voila/templates/"),
                          ("GET", "/voila/templates/lab/static/%2e%2e/%2e%2e/page.ipynb"), ("GET", "/voila/static/../../x"),
                          ("GET", kernel), ("GET", kernel + "/channels"), ("GET", "/nothing"),
                          ("POST", kernel.replace("/api/kernels", "/voila/api/shutdown"))):
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        line.request(method, f"{place}?rater={token}")
        got.append(line.getresponse().status)
        line.close()
    server.stop()
    told = server.process.stdout.read()
    assert got == [403, 403, 404, 404, 404, 403, 404, 404, 404, 204]
    assert "POST /?..." in told and token not in told and "Traceback" not in told and "Uncaught" not in told


def test_links_and_the_hint_to_serve_name_one_port(tmp_path):
    for side in ("a", "b"):
        video.write(tmp_path / side / "one.mp4", np.zeros((3, 32, 32, 3), np.uint8), 8)
    (tmp_path / "prompts.json").write_text('{"one.mp4": "a heart"}')
    made, where = ("create", tmp_path / "a", tmp_path / "b", "--prompts", tmp_path / "prompts.json", "--out"), tmp_path / "study"
    assert "--url" in str(CliRunner().invoke(typed, ["study", *map(str, made), str(where), "--url", "host:8870"]).exception)
    assert not where.exists()
    told = said(*made, where, "--url", "http://host:8870/")
    assert told.count("http://host:8870/?rater=") == 3 and f"Now: medgen-kit study serve {where} --port 8870\n" in told
    assert "--host 0.0.0.0" in told and "raters are fewer" not in told
    assert said("links", where).count("http://host:8870/?rater=") == 3 and f"serve {where} --port 8870\n" in said("links", where)
    assert said("links", where, "--url", "http://127.0.0.1:8866").count("http://127.0.0.1:8866/?rater=") == 3
    assert said("links", where).endswith(f"medgen-kit study serve {where}\n")                    # the newer address is remembered
    study.remember(where, "https://study.example")
    assert "https://study.example/?rater=" in said("links", where) and said("links", where).endswith(f"study serve {where}\n")
    for wrong in ("host", "ftp://host", "http://", "http://host:x", "http://host:99999", "http://host/?a=1"):
        with pytest.raises(KitError, match="is no address of a server"):
            study.remember(where, wrong)


def test_serving_takes_the_port_of_the_links(folder, monkeypatch):
    from medgen_kit.evaluate.study import server

    for name in (server.STUDY, "PYTHONPATH"):
        monkeypatch.setenv(name, os.environ.get(name, ""))                          # put back afterwards
    told, port = [], free_port()
    monkeypatch.setattr(server.StudyServer, "initialize", lambda self, argv: None)
    monkeypatch.setattr(server.StudyServer, "start", lambda self: told.append(f"started {self.ip} {self.port}"))
    study.add_raters(folder, 1)
    study.remember(folder, f"http://localhost:{port}")
    study.serve(folder, say=told.append)
    assert told[-1] == f"started 127.0.0.1 {port}" and f"study links {folder}. Ctrl-C" in told[0]
    assert server.other_url("http://127.0.0.1:8866", "127.0.0.1", 8870) == " --url http://127.0.0.1:8870"
    assert server.other_url("http://127.0.0.1:8866", "0.0.0.0", 8866) == " --url http://ADDRESS:8866"
    assert server.other_url("https://study.example", "0.0.0.0", 8870) == server.other_url("http://host:8870", "0.0.0.0", 8870) == ""
