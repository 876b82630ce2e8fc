"""The study in browsers: Voila with one page, no directory, no files, and a token before anything starts.

Each rater's page has a process of its own (about 70 MB), so raters neither wait for nor see one another; they share answers.sqlite alone.
When the server is killed, stored answers and drafts stay; the pages wait, and open again by themselves when it is back.
"""

import asyncio
import errno
import logging
import os
import re
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ipykernel.kernelspec import RESOURCES
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_server import DEFAULT_STATIC_FILES_PATH
from tornado.web import HTTPError
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import AllowListFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from ...errors import KitError
from . import store
from .invitations import HERE, port_of, url_of, without_link
from .page import REFUSED, STUDY

WEB = Path(__file__).with_name("web")
PAGE = WEB / "page.ipynb"
WIDGETS = ("@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8")
IDLE = 300                                   # seconds after which the process of a closed page ends
LINGER = 2                                   # seconds in which what a page sent before it was closed comes in
HEADERS = {"Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class OwnPython(KernelSpecManager):
    """Pages run in the Python that serves them, whatever other kernels this machine has."""

    def find_kernel_specs(self):
        return {"python3": RESOURCES}

    def get_kernel_spec(self, kernel_name):
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
        return KernelSpec(argv=command, display_name="Python 3", language="python", resource_dir=RESOURCES)


class RaterPage(TornadoVoilaHandler):
    """The one page. A wrong token gets one sentence, and no process is started for it."""

    async def get(self, path=None):
        for name, value in HEADERS.items():
            self.set_header(name, value)
        if path:
            self.set_status(404)
            self.finish("There is nothing here.")
        elif store.rater_of(os.environ[STUDY], self.get_query_argument("rater", "")) is None:
            self.set_status(403)
            self.set_header("Content-Type", "text/html; charset=utf-8")
            self.finish(f"<!DOCTYPE html><html lang='en'><title>Blind video study</title><body style='font:20px sans-serif; margin:3em'>"
                        f"<p>{REFUSED}</p></body></html>")
        else:
            await super().get(path)


class PageClosed(VoilaShutdownKernelHandler):
    """What a page sends when it is closed or loaded anew: its process ends, when all that the page sent before is done.

    Only the page knows the random name of its process, and that name is the permission; a cookie is not asked for.
    """

    def check_xsrf_cookie(self):
        """Nothing to check."""

    async def post(self, kernel_id):
        await asyncio.sleep(LINGER)
        for _ in range(2 * store.WAIT):
            if kernel_id not in self.kernel_manager or self.kernel_manager.get_kernel(kernel_id).execution_state != "busy":
                break
            await asyncio.sleep(0.5)
        if kernel_id in self.kernel_manager:
            await super().post(kernel_id)
        else:
            self.set_status(204)
            self.finish()


class PageFiles(TemplateStaticFileHandler):
    """The files of the page itself, TEMPLATE/static/FILE; whatever else is asked for is not there."""

    async def get(self, path, include_body=True):
        try:
            await super().get(path, include_body)
        except (ValueError, AssertionError) as error:                                  # the path has another shape
            raise HTTPError(404) from error


def no_query(record):
    """A filter of the server's reports: an address without its query, which holds a rater's token."""
    record.msg, record.args = re.sub(r"\?[^\s'\"]*", "?...", record.getMessage()), ()
    return True


def of_use(record):
    """A filter of the server's reports: not that Jupyter's time for an answer to a ping, in milliseconds, is no such time in Tornado."""
    return "websocket_ping_timeout" not in record.getMessage()


class StudyServer(Voila):
    """Voila with the rater's page and what that page itself needs."""

    def setup_template_dirs(self):
        super().setup_template_dirs()
        self.template_paths = [str(WEB), *self.template_paths]

    def init_settings(self):
        more = {"log_function": lambda handler: None,                                  # the address holds the rater's token
                "static_path": DEFAULT_STATIC_FILES_PATH}                              # of Jupyter's error pages
        return super().init_settings() | more

    def init_handlers(self):
        own = set(self.identity_provider.get_handlers())
        kept = [row for row in super().init_handlers() if tuple(row[:2]) not in own and row[1] is not AllowListFileHandler]
        ours = {TornadoVoilaHandler: RaterPage, TemplateStaticFileHandler: PageFiles, VoilaShutdownKernelHandler: PageClosed}
        return [(row[0], ours.get(row[1], row[1]), *row[2:]) for row in kept]


def settings():
    """Voila's settings: sources and errors are not shown, no other template, no other extension, pages that were left are cleared away."""
    return Config({
        "VoilaConfiguration": {"strip_sources": True, "show_tracebacks": False, "file_allowlist": [], "preheat_kernel": False,
                               "template": "lab", "theme": "light", "allow_template_override": "NO", "allow_theme_override": "NO",
                               "extension_allowlist": list(WIDGETS), "kernel_spec_manager_class": OwnPython},
        "KernelManager": {"transport": "tcp" if os.name == "nt" else "ipc"},
        "MappingKernelManager": {"cull_idle_timeout": IDLE, "cull_interval": 60, "cull_connected": False}})


def serve(folder, port=None, host="127.0.0.1", say=print):
    """Serve the study in `folder` until interrupted. port: by default the one in the raters' links. An open host (0.0.0.0) needs TLS in
    front of it: the link is the only lock."""
    folder = Path(folder).resolve()
    about = store.facts(folder)
    port = port or port_of(url_of(folder))
    refuse_taken(host, port)
    os.environ[STUDY] = str(folder)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])])
    server = StudyServer(notebook_path=str(PAGE), port=port, ip=host, port_retries=0, open_browser=False, config_file_paths=[],
                         config=settings(), log_level="ERROR")
    server.initialize([])
    for name in ("tornado.access", "tornado.application", "tornado.general", server.log.name):
        logging.getLogger(name).addFilter(no_query)
    logging.getLogger("tornado.general").addFilter(of_use)
    if host not in HERE:
        say(f"Warning: {host} lets every machine of the network in, and a rater's link is then the only lock. Put a server with TLS "
            "(https) in front, or use an SSH tunnel.")
    if lacking := without_link(folder):
        say(lacking)
    if about["closed"]:
        say("This study is closed: raters see that, and no answer is taken.")
    say(f"Serving on http://{host}:{port}/ . Raters enter by their links: medgen-kit study links {folder}"
        f"{other_url(url_of(folder), host, port)}. Ctrl-C stops; nothing that was stored is lost.")
    server.start()


def other_url(url, host, port):
    """What `links` has to be told when the address `url` that it shows does not lead to this host and port; "" when it does."""
    parts = urlsplit(url)
    if parts.scheme == "https" or port_of(url) == port and (host in HERE or parts.hostname not in HERE):
        return ""
    return f" --url http://{'ADDRESS' if host == '0.0.0.0' else host}:{port}"


def refuse_taken(host, port):
    """KitError when the host or the port can not be had, and which of the two it is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as test:
        test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, os.name != "nt")
        try:
            test.bind((host, port))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.EADDRNOTAVAIL:
                raise KitError(f"{host} is no address of this machine ({why}). Take --host 127.0.0.1 for this machine alone, or --host "
                               "0.0.0.0 to let others in.") from error
            raise KitError(f"port {port} on {host} can not be used ({why}). Choose another one: --port 8877.") from error
