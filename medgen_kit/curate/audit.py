"""The human spot check (paper section 3.3): draw survivors and rejects of each stage, keep two raters' answers, say what they show.

The paper looks at 200 survivors a stage, so it cannot see what a stage wrongly removes; we draw 50 rejects as well, from every category.
Thresholds play no part here: all that is read is which stage removed which clip, and in which order the stages stand.
"""

import itertools
import json
import os
import re
import zlib
from pathlib import Path

import numpy as np

from ..errors import DiskError, KitError, VideoError
from .agree import acceptance
from .decide import CUT_FAILED

ANSWERS = ("clean", "slightly noisy", "bad")
ACCEPTED = ANSWERS[:2]                                          # what the paper counts as good
SETS = ("survivor", "reject")
RATERS = ("rater-1", "rater-2")
LONGEST = 60                                                    # seconds of a piece that is shown
# Rules that no eye can judge from one clip: a reject of theirs may look clean and still be rightly removed.
NOT_BY_EYE = ("too short", "low resolution", "duplicate")
LOOK_FOR = {
    "not medical": "anything that is not medicine: presenters, title cards, b-roll",
    "too short": "a clip that is over before anything has happened",
    "low resolution": "a picture too coarse to see the anatomy or the instrument",
    "black border": "black bars at a side (a round endoscope picture or an ultrasound fan on black is no bar)",
    "subtitles": "burned-in text: subtitles, menus, slides",
    "aesthetic": "a picture that is hard to look at: washed out, badly lit, badly framed",
    "technical": "blur, noise, blocks, lost frames",
    "joint": "a picture that is poor altogether",
    "quality": "blur, noise, blocks, a picture too dark or too bright",
    "still": "a picture in which nothing moves",
    "duplicate": "a clip that you saw before"}


def draw_sample(clips, order, survivors=200, rejects=50, seed=0, stages=None, say=print):
    """The clips to look at, a DataFrame with one row per clip and stage: clip_id, stage, set ("survivor" or "reject"), video_category,
    available (clips of this stage and set), weight (clips that this one stands for), and upload, start_s, end_s where `clips` has them.

    clips: DataFrame with clip_id, video_category, removed_by ("" = kept). order: names of the stages, first to last.
    stages: the long table; with it, clips that a stage skipped do not count as its survivors. A stage's survivors are drawn at random.
    Its rejects are shared out evenly among the categories, so that a rare one (imaging: 2.4 %) is seen at all.

    The draw takes the clips with the lowest keyed hash: it depends on no order of rows, and when a threshold moves a little, most of the
    sample, and the answers to it, stay. Where fewer clips exist all are taken, and `say` is told.
    """
    import pandas as pd

    clips, drawn = checked(clips, order), []
    for stage, kind, group in populations(clips, order, stages):
        wanted = survivors if kind == "survivor" else rejects
        ranked = group.iloc[np.argsort(lots(group["clip_id"], seed, stage, kind), kind="stable")]
        chosen = spread(ranked, wanted) if kind == "reject" else ranked.head(wanted)
        if kind == "survivor":
            chosen = chosen.assign(weight=len(group) / max(1, len(chosen)))
        drawn.append(chosen.assign(stage=stage, set=kind, available=len(group)))
        if len(group) < wanted:
            say(f"{stage}: {len(group)} of {wanted} {kind}s, all there are" if len(group) else f"{stage}: there is no {kind} to look at")
    columns = ["clip_id", "stage", "set", "video_category", "available", "weight", "upload", "start_s", "end_s"]
    sample = pd.concat(drawn, ignore_index=True)
    return sample[[name for name in columns if name in sample]]


def checked(clips, order):
    """`clips` sorted by clip_id with text categories and `at`, the place of the stage that removed a clip (len(order): it passed all,
    also one that could not be cut afterwards)."""
    missing = [name for name in ("clip_id", "video_category", "removed_by") if name not in clips]
    if missing:
        raise KitError(f"the table of clips has no column {', '.join(missing)}. Hand in the decided table, one row per candidate clip.")
    if clips["clip_id"].duplicated().any():
        twice = clips["clip_id"][clips["clip_id"].duplicated()].iloc[0]
        raise KitError(f"clip_id '{twice}' stands twice in the table of clips; one row per candidate clip is needed.")
    places = {name: k for k, name in enumerate(order)} | {"": len(order), CUT_FAILED: len(order)}
    removed = clips["removed_by"].astype(object).fillna("")
    unknown = sorted(set(map(str, removed)) - set(places))
    if unknown:
        raise KitError(f"removed_by names the stage '{unknown[0]}', which is not in the order handed in: {', '.join(order)}.")
    category = clips["video_category"].astype(object).fillna("").replace("", "not known")
    return clips.assign(video_category=category, removed_by=removed, at=removed.map(places)).sort_values("clip_id")


def populations(clips, order, stages=None):
    """Yield (stage, set, clips): who reached the stage and passed it, then whom it removed, for each stage in order."""
    import pandas as pd

    judged = {} if stages is None else dict(list(stages[stages["verdict"] == "pass"].groupby("stage", observed=True)["clip_id"]))
    names = pd.Index(clips["clip_id"].astype(object))
    for k, stage in enumerate(order):
        looked = np.full(len(clips), stages is None)
        found = names.get_indexer(judged.get(stage, pd.Series(dtype=object)).astype(object))
        looked[found[found >= 0]] = True
        passed = clips[(clips["at"] > k) & looked]
        yield stage, "survivor", passed
        yield stage, "reject", clips[clips["at"] == k]


def lots(names, *key):
    """One random-looking number uint64 per name that depends on the name and the key alone."""
    import pandas as pd

    mark = f"{zlib.crc32('/'.join(map(str, key)).encode()):016d}"
    return pd.util.hash_array(names.astype(str).to_numpy(dtype=object), hash_key=mark, categorize=False)


def spread(ranked, count):
    """`count` clips shared out evenly among the categories, first come first; `weight` says how many clips each stands for."""
    share = allot(ranked["video_category"].value_counts().sort_index().to_dict(), count)
    place = ranked.groupby("video_category").cumcount()
    chosen = ranked[place < ranked["video_category"].map(share).astype(float)]
    size = ranked["video_category"].value_counts()
    return chosen.assign(weight=chosen["video_category"].map(lambda name: size[name] / share[name]).astype(float))


def allot(sizes, count):
    """{name: how many to take} of {name: how many there are}: as even as the sizes allow, `count` in all or everything."""
    share = dict.fromkeys(sizes, 0)
    for _ in range(min(count, sum(sizes.values()))):
        name = min((name for name in sizes if share[name] < sizes[name]), key=lambda name: (share[name], name))
        share[name] += 1
    return share


def shared(sample, count=50, seed=0):
    """The rows of a sample that every rater sees: `count` a stage, half of them rejects where there are so many."""
    import pandas as pd

    taken = []
    for stage, group in sample.groupby("stage", sort=False):
        share = allot(group["set"].value_counts().to_dict(), count)
        for kind, members in group.groupby("set"):
            taken.append(members.iloc[np.argsort(lots(members["clip_id"], seed, "shared", stage), kind="stable")[:share[kind]]])
    return pd.concat(taken).sort_index() if taken else sample


def parts(sample, raters=RATERS, count=50, seed=0):
    """{rater: DataFrame to look at, with `question`}: the shared clips and an equal part of the others, stage by stage.

    Inside a stage survivors and rejects are mixed, so that nobody can tell them apart; the shared clips come first, so that raters who
    stop early still have clips in common.
    """
    both = sample.index.isin(shared(sample, count, seed).index) | (len(raters) == 1)
    place = sample["stage"].map({stage: k for k, stage in enumerate(dict.fromkeys(sample["stage"]))})
    lot = lots(sample["stage"] + "/" + sample["clip_id"], seed, "order")
    table = sample.assign(both=both, question=sample["stage"].map(LOOK_FOR).fillna(""), place=place, alone=~both, lot=lot)
    table = table.sort_values(["place", "alone", "lot"])
    turn = (table["alone"].cumsum() % len(raters)).where(table["alone"], -1)
    return {rater: table[turn.isin((-1, k))].drop(columns=["place", "alone", "lot"]).reset_index(drop=True)
            for k, rater in enumerate(raters)}


class Sheet:
    """One rater's answers in `<folder>/<rater>.jsonl`, one line an answer, appended and flushed to the disk before the next clip shows.

    A line torn by a crash is passed over (`damaged` counts them). `undo` appends a line too, so nothing that was ever said is lost.
    """

    def __init__(self, folder, rater):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", rater or ""):
            raise KitError(f"rater '{rater}' must be a short name of letters, digits, - or _ (no real names: use rater-1).")
        self.path, self.rater, self.damaged = Path(folder) / f"{rater}.jsonl", rater, 0

    def __repr__(self):
        return f"Sheet('{self.path}', {len(self.answers())} answers)"

    def history(self):
        """All answers that stand, oldest first, as dicts: clip_id, stage, set, answer, seconds (an undone answer is left out)."""
        standing, self.damaged = [], 0
        for number, line in enumerate(self.path.read_bytes().split(b"\n") if self.path.is_file() else (), 1):
            try:
                row = json.loads(line) if line.strip() else None
            except ValueError:
                self.damaged += 1
                continue
            if row == {"undo": True}:
                del standing[-1:]
            elif row is not None:
                standing.append(self._checked(row, f"{self.path}, line {number}"))
        return standing

    def answers(self):
        """{(stage, clip_id): its latest answer as a dict}."""
        return {(row["stage"], row["clip_id"]): row for row in self.history()}

    def add(self, item, answer, seconds=0.0):
        """Store the answer to one row of `parts`; a second answer to the same clip and stage replaces the first. Returns it."""
        row = {name: str(item[name]) for name in ("clip_id", "stage", "set")} | {"answer": answer, "seconds": round(float(seconds), 2)}
        self._append(self._checked(row, f"the answer to {item['clip_id']}"))
        return row

    def undo(self):
        """Take the latest answer back and return it; None when there is none."""
        standing = self.history()
        if standing:
            self._append({"undo": True})
        return standing[-1] if standing else None

    def _checked(self, row, where):
        names = ("clip_id", "stage", "set", "answer", "seconds")
        if not isinstance(row, dict) or [name for name in names if name not in row]:
            raise KitError(f"{where}: an answer has {', '.join(names)}. Was the file changed by hand? Remove that line.")
        number = isinstance(row["seconds"], (int, float))
        if row["answer"] not in ANSWERS or row["set"] not in SETS or not (number and 0 <= row["seconds"] < float("inf")):
            raise KitError(f"{where}: answer must be one of {', '.join(ANSWERS)}, set one of {', '.join(SETS)}, seconds 0 or more, "
                           f"not {row['answer']!r}, {row['set']!r}, {row['seconds']!r}.")
        return row

    def _append(self, row):
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                torn = file.tell() and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
                file.write(b"\n" * bool(torn) + json.dumps(row, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise DiskError(f"{self.path} could not be written ({error.strerror}). Free some disk space, then answer again; "
                            "the answers before it are kept.") from error


def sheets(folder):
    """All sheets of a folder that hold an answer, by name; KitError when nobody has answered yet."""
    found = [sheet for sheet in (Sheet(folder, path.stem) for path in sorted(Path(folder).glob("*.jsonl"))) if sheet.answers()]
    if not found:
        raise KitError(f"nobody has looked at a clip yet (no answers in {folder}), so there is no result. Run the spot check first.")
    return found


def verdicts(sheets, sample):
    """The sample with `answer`, None where nobody looked; a clip that two raters saw counts once, with the worse answer."""
    said = {}
    for sheet in sheets:
        for key, row in sheet.answers().items():
            said[key] = max(said.get(key, ANSWERS[0]), row["answer"], key=ANSWERS.index)
    return sample.assign(answer=[said.get(key) for key in zip(sample["stage"], sample["clip_id"])]).astype({"answer": object})


def summary(sheets, sample):
    """What the answers show, a list of one dict per stage. Shares are 0 to 1, intervals 95 %; None where nobody looked.

    survivors, good, share, low, high, passes, shown: as `agree.acceptance` (exact Clopper-Pearson interval; `passes` is the paper's rule,
    `shown` what its sentence claims). drawn: survivors to look at. rejects, reject_good: rejects seen, and those of them that look clean
    or slightly noisy. false_reject, false_low, false_high: their share among all rejects of the stage, each clip counted for as many as it
    stands for (see `weighted_share`). by_eye: False where a clean look proves no error (NOT_BY_EYE). kappa: Cohen's, see `agreement`.
    """
    table, pairs = verdicts(sheets, sample), agreement(sheets, sample)
    return [stage_summary(stage, group, [row for row in pairs if row["stage"] == stage])
            for stage, group in table.groupby("stage", sort=False)]


def stage_summary(stage, group, pairs):
    """The row of one stage: `group` are its rows of `verdicts`, `pairs` its rows of `agreement`."""
    seen, rejects = group[group["answer"].notna()], group[group["set"] == "reject"]
    good, alive = seen["answer"].isin(ACCEPTED), seen["set"] == "survivor"
    n, k = int(alive.sum()), int(good[alive].sum())
    found = acceptance(k, n) if n else dict.fromkeys(("share", "low", "high", "passes", "shown"))
    category = seen["video_category"][~alive]
    stands_for = category.map(rejects.groupby("video_category")["weight"].sum() / category.value_counts())     # also when some are unseen
    wrong = weighted_share(good[~alive].to_numpy(), stands_for.to_numpy(float))
    common = max(pairs, key=lambda row: row["clips"], default={"clips": 0, "kappa": None})
    return {"stage": stage, "drawn": int((group["set"] == "survivor").sum()), "survivors": n, "good": k, **found,
            "rejects": len(category), "reject_good": int(good[~alive].sum()),
            **dict(zip(("false_reject", "false_low", "false_high"), wrong)), "by_eye": stage not in NOT_BY_EYE,
            "common": common["clips"], "kappa": common["kappa"]}


def spoken(rows):
    """The rows of `summary` as a reader wants them: counts, shares and intervals in words."""
    def share(row, *names):
        middle, low, high = (row[name] for name in names)
        return None if middle is None else f"{100 * middle:.1f} % ({100 * low:.1f}\u2013{100 * high:.1f})"

    return [{"stage": row["stage"], "good survivors": f"{row['good']} of {row['survivors']}", "share": share(row, "share", "low", "high"),
             "meets the rule": row["passes"], "shows it": row["shown"], "good rejects": f"{row['reject_good']} of {row['rejects']}",
             "share of all rejects": share(row, "false_reject", "false_low", "false_high") if row["by_eye"] else "not judged by eye",
             "kappa": row["kappa"]} for row in rows]


def lost_by_category(sheets, sample):
    """Rejects that look clean or slightly noisy, per stage and category: [{"stage", "category", "seen", "good", "share", "low", "high"}].

    Here hides what the paper's protocol cannot see, for example a border rule that deletes ultrasound.
    """
    table = verdicts(sheets, sample)
    table = table[(table["set"] == "reject") & table["answer"].notna()]
    rows = []
    for (stage, category), group in table.groupby(["stage", "video_category"], sort=False):
        good = int(group["answer"].isin(ACCEPTED).sum())
        found = acceptance(good, len(group))
        rows.append({"stage": stage, "category": category, "seen": len(group), "good": good,
                     **{key: found[key] for key in ("share", "low", "high")}})
    return rows


def weighted_share(good, weight):
    """(share, low, high) of a sample in which clips stand for different numbers of clips; all None without a clip.

    The interval is Clopper-Pearson's at the effective number of clips, (sum w)^2 / sum w^2 (Kish 1965; the idea is Korn and Graubard's,
    1998). With equal weights it is the exact one; with unequal weights it is an approximation.
    """
    from scipy.stats import beta

    if not len(good):
        return None, None, None
    n, share = weight.sum() ** 2 / (weight ** 2).sum(), float((good * weight).sum() / weight.sum())
    k = share * n
    low = float(beta.ppf(0.025, k, n - k + 1)) if k > 0 else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return share, low, high


def agreement(sheets, sample):
    """How far raters agree on the clips that both saw, per stage and over all: [{"stage", "pair", "clips", "same", "kappa"}].

    same: share of equal answers. kappa: Cohen's (1960), None for fewer than two clips or when one answer was given throughout. Kappa is low
    where nearly all clips are clean even when raters seldom differ, so read it beside `same`.
    """
    said = {sheet.rater: {key: row["answer"] for key, row in sheet.answers().items()} for sheet in sheets}
    keys, rows = list(zip(sample["stage"], sample["clip_id"])), []
    for a, b in itertools.combinations(said, 2):
        both = [key for key in keys if key in said[a] and key in said[b]]
        for stage in (*dict.fromkeys(stage for stage, _ in both), "all stages"):
            one, two = ([said[rater][key] for key in both if stage in (key[0], "all stages")] for rater in (a, b))
            if one:
                rows.append({"stage": stage, "pair": f"{a}, {b}", "clips": len(one), "same": float(np.mean(np.equal(one, two))),
                             "kappa": kappa(one, two)})
    return rows


def kappa(first, second):
    """Cohen's kappa of two lists of answers; None for fewer than two or when all answers are one and the same."""
    from sklearn.metrics import cohen_kappa_score

    if len(first) < 2 or len({*first, *second}) < 2:
        return None
    return float(cohen_kappa_score(first, second, labels=list(ANSWERS)))


def pass_probability(true_share, n=200, needed=190):
    """How often a stage of which `true_share` of all survivors is good passes the paper's check, 0 to 1.

    A stage at exactly 95 % passes 58 % of the time, at 93 % still 17 %, at 97 % 96 %.
    """
    from scipy.stats import binom

    if not 0 <= true_share <= 1:
        raise KitError(f"true_share is a share between 0 and 1, not {true_share}.")
    return float(binom.sf(needed - 1, n, true_share))


def needed_to_show(n=200, share=0.95):
    """Fewest good clips of `n` that show, one-sided at 95 %, that more than `share` of all are good; 196 of 200. None: n is too small."""
    from scipy.stats import beta

    good = np.arange(1, n + 1)
    enough = good[beta.ppf(0.05, good, n - good + 1) >= share]
    return int(enough[0]) if len(enough) else None


def piece(path, start_s, end_s, width=640):
    """(frames uint8 [T, H, W, 3], frames a second) of an upload from start_s to end_s, seconds after its first frame; at most `width` wide.

    Rejected candidates have no file of their own, so the spot check shows them from the upload. Jumps to the key frame before start_s.
    """
    import av

    from .. import video

    if not 0 <= start_s < end_s <= start_s + LONGEST:
        raise KitError(f"{path}: a piece from {start_s} to {end_s} seconds cannot be shown; it must last 0 to {LONGEST} seconds.")
    info, frames, reformatter = video.probe(path), [], av.video.reformatter.VideoReformatter()
    size = (round(info.height * min(1, width / info.width) / 2) * 2, min(info.width, width) // 2 * 2)
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            zero = float((stream.start_time or 0) * stream.time_base)
            container.seek(int((start_s + zero) / stream.time_base), stream=stream, backward=True)
            for frame in container.decode(stream):
                at = (frame.time or 0) - zero
                if at >= end_s - 1e-6:
                    break
                if at >= start_s - 1e-6:
                    frames.append(video.Frame(len(frames), at, frame, stream.sample_aspect_ratio, reformatter).rgb(size))
    except av.error.FFmpegError as error:
        raise VideoError(path, "truncated", f"the file cannot be decoded at {start_s:.1f} s. Copy or download it again.") from error
    if not frames:
        raise KitError(f"{path} has no frame between {start_s} and {end_s} seconds. Does the table of clips belong to these uploads?")
    return np.stack(frames), info.fps
