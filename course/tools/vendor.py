"""JavaScript that site and slides carry along: fetched once by npm at the pinned version, checked by its hash, unpacked."""

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from medgen_kit.errors import KitError

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "course" / "site" / "vendor.json"
STORE = ROOT / "build" / "vendor"                # the packages as npm delivered them; `make clean` removes them


def vendor(names, folder, store=STORE):
    """Put the files of these packages (keys of vendor.json) into `folder`; their licences lie beside them as NAME.LICENSE.

    A package that lies in `store` with the right hash is not fetched again. KitError when npm is missing, offline, or delivers other bytes.
    """
    pins = json.loads(PINS.read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        unpack(package(name, pins[name], store), pins[name]["files"], folder)


def package(name, pin, store=STORE):
    """Path of the package's archive, fetched when it is not there."""
    store.mkdir(parents=True, exist_ok=True)
    archive = store / f"{name.strip('@').replace('/', '-')}-{pin['version']}.tgz"
    if not archive.is_file() or integrity(archive) != pin["integrity"]:
        archive.unlink(missing_ok=True)
        npm(f"{name}@{pin['version']}", store)
    if not archive.is_file() or integrity(archive) != pin["integrity"]:
        raise KitError(f"npm delivered another file for {name} {pin['version']} than {PINS.relative_to(ROOT)} pins. Do not use it; find "
                       "out where your npm takes its packages from (npm config get registry).")
    return archive


def npm(wanted, store):
    """Fetch one package's archive into `store`; no script of the package is run."""
    if shutil.which("npm") is None:
        raise KitError("the site and the slides need npm to fetch their JavaScript once. On Debian and Ubuntu: sudo apt install npm; "
                       "elsewhere: https://nodejs.org")
    done = subprocess.run(["npm", "pack", "--silent", wanted, "--pack-destination", str(store)], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise KitError(f"npm could not fetch {wanted}: {reason}. It needs the network once; after that the packages lie in build/vendor.")


def integrity(archive):
    """The hash of a file as npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()


def unpack(archive, files, folder):
    """Write members of the archive to their names in `folder`. files: {member: name}."""
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix("package/")
            if member.isfile() and name in files:
                (folder / files[name]).parent.mkdir(parents=True, exist_ok=True)
                (folder / files[name]).write_bytes(tar.extractfile(member).read())
    missing = [target for target in files.values() if not (folder / target).exists()]
    if missing:
        raise KitError(f"{archive.name} does not hold what {PINS.name} names: {', '.join(missing)}.")
