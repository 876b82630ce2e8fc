"""Alignment: losses on known values, what a caption says, retrieval with one right answer, and a model that learns."""

import numpy as np
import pytest
import torch

from medgen_kit import KitError, align


def test_info_nce_of_known_batches():
    alike, own = torch.nn.functional.normalize(torch.ones(6, 4), dim=1), torch.eye(6)
    assert align.info_nce(alike, alike, torch.tensor(2.0)).item() == pytest.approx(np.log(6), abs=1e-5)
    assert align.info_nce(own, own, torch.tensor(4.0)).item() < 1e-6
    assert align.info_nce(own, own.roll(1, 0), torch.tensor(4.0)).item() > 10


def test_recall_counts_ranks():
    text = torch.eye(4)
    video = torch.eye(4)[[0, 1, 3, 2]]
    assert align.recall_at(video, text, 1) == 0.5 and align.recall_at(video, text, 4) == 1.0


def test_silent_concepts_cost_nothing():
    logits, says, heard = torch.tensor([[3.0, -2.0]]), torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 0.0]])
    assert align.concept_loss(logits, says, heard).item() == pytest.approx(np.log1p(np.exp(-3.0)), abs=1e-6)
    assert align.concept_loss(logits, says, heard * 0).item() == 0.0


def test_a_caption_names_denies_and_is_silent():
    from medgen_kit import knowledge

    advancing, withdrawing = "The endoscope is advancing in the colon.", "The endoscope is withdrawing in the colon, which shows a polyp."
    texts = [advancing, withdrawing, "A polyp in the colon.", "The colon shows no polyp.", "Tachycardia on the patient monitor.",
             "Bradycardia on the patient monitor."] * 10
    concepts = align.ConceptSet.of(*([knowledge.tags(text, negated=denied) for text in texts] for denied in (False, True)))
    present, known = concepts.targets([advancing, "The colon shows no polyp."])
    at = {name: i for i, name in enumerate(concepts.names)}
    assert {"motion/advancing", "motion/withdrawing", "finding/polyp", "finding/tachycardia"} <= set(at)
    assert present[0, at["motion/advancing"]] == 1 and present[0, at["motion/withdrawing"]] == 0
    assert known[0, at["motion/advancing"]] == known[0, at["motion/withdrawing"]] == pytest.approx(1)
    assert known[1, at["finding/polyp"]] == 1 and present[1, at["finding/polyp"]] == 0 and known[1, at["motion/advancing"]] == 0
    assert known[0, at["finding/tachycardia"]] == known[1, at["finding/tachycardia"]] == 0, "a colon says nothing about the pulse"
    rivals = {name: {concepts.names[j] for j in np.flatnonzero(concepts.rivals[i])} for name, i in at.items()}
    assert rivals["motion/advancing"] == {"motion/withdrawing"} and rivals["finding/tachycardia"] == {"finding/bradycardia"}
    with pytest.raises(KitError, match="no medical concept"):
        align.ConceptSet.of([[]] * 20)


def test_rivals_weigh_together_as_much_as_the_named_concept(tmp_path):
    ways = [["modality/endoscopy", f"motion/{way}"] for way in ("left", "right", "up")]
    tags = 8 * (ways + [["modality/ultrasound", "motion/beating"]])
    concepts = align.ConceptSet.of(tags)
    at = {name: i for i, name in enumerate(concepts.names)}
    row = concepts.rivals[at["motion/left"]]
    assert row[at["motion/right"]] == row[at["motion/up"]] == pytest.approx(0.5) and row.sum() == pytest.approx(1)
    assert concepts.rivals[at["modality/ultrasound"]].sum() == pytest.approx(concepts.EASY), "only another kind of picture would say so"
    concepts.save(tmp_path / "concepts.json")
    again = align.ConceptSet.load(tmp_path / "concepts.json")
    assert again.names == concepts.names and np.allclose(again.rivals, concepts.rivals, atol=1e-4)


@pytest.fixture(scope="module")
def toy():
    """Two kinds of clip, bright and dark, each with its caption."""
    rng, rows = np.random.default_rng(0), []
    frames = rng.integers(0, 40, (64, 9, 32, 32, 3), dtype=np.uint8)
    for i in range(64):
        frames[i] += np.uint8(190 * (i % 2))
        kind = ("dark colon with a polyp", "bright stomach advancing")[i % 2]
        rows.append({"brief": kind, "detailed": f"a picture of a {kind}", "split": "test" if i < 8 else "train", "factors": {"kind": kind}})
    return align.ClipData(frames, rows)


def test_a_model_learns_and_survives_a_save(toy, tmp_path):
    from medgen_kit import knowledge

    tokenizer = align.train_tokenizer([r["detailed"] for r in toy.rows])
    concepts = align.ConceptSet.of([knowledge.tags(r["detailed"]) for r in toy.rows])
    model, history = align.fit(toy, tokenizer, concepts, 30, 16, say=lambda _: None)
    assert history[-1]["loss"] < history[0]["loss"]
    assert list(align.one_clip_each(toy)) == [0, 1]
    found = align.retrieval(model, tokenizer, toy)
    assert found["recall_at_1"] == 1.0 and found["chance_at_1"] == 0.5
    model.save(tmp_path, tokenizer)
    again, words = align.VideoTextModel.load(tmp_path)
    captions = [toy.rows[0]["brief"]]
    first, second = (align.embed(m, t, toy.frames[:1], captions) for m, t in ((model, tokenizer), (again, words)))
    assert torch.allclose(first[0], second[0]) and torch.allclose(first[1], second[1])


@pytest.fixture(scope="module")
def ways():
    """Captions of two factors: one is another word, one is only another order of the same words. Clips of noise."""
    rng, rows = np.random.default_rng(0), []
    for i in range(160):
        way, side = ("head to feet", "feet to head")[i % 2], ("left", "right")[rng.integers(2)]
        start = ("a scan", "slices of the chest", "axial images", "CT")[rng.integers(4)]
        caption = f"{start}, lesion on the {side}, from {way}"
        rows.append({"brief": caption, "detailed": caption, "split": "train" if i < 100 else "test", "factors": {"way": way, "side": side}})
    return align.ClipData(rng.integers(0, 255, (160, 9, 32, 32, 3), dtype=np.uint8), rows)


def test_reading_teaches_word_order_and_the_probe_sees_it(ways):
    from medgen_kit import knowledge

    captions = ways.captions("brief")
    tokenizer = align.train_tokenizer(captions)
    concepts = align.ConceptSet.of([knowledge.tags(text) for text in captions])
    assert {"motion/head to feet", "motion/feet to head"} <= set(concepts.names)
    torch.manual_seed(0)
    model = align.VideoTextModel(align.video_tower(layers=1), align.text_tower(len(tokenizer)), len(concepts.names))
    train = ways.split("train")
    targets = [torch.as_tensor(part) for part in concepts.targets([captions[i] for i in train])]
    losses = align.learn_to_read(model, tokenizer, [captions[i] for i in train], *targets, steps=80, batch=32)
    assert losses[-1] < 0.2 * losses[0]
    found = align.linear_probe(model, tokenizer, ways)
    assert found["way"]["read"] == found["side"]["read"] == 1.0 and found["way"]["guess"] == 0.5 and found["way"]["captions"] == 60

    class Bag(torch.nn.Module):
        """A text tower that is blind to order: the words' own vectors."""

        config = model.language.config

        def __init__(self):
            super().__init__()
            self.words = model.language.get_input_embeddings()

        def forward(self, input_ids, attention_mask):
            return type("Read", (), {"last_hidden_state": self.words(input_ids)})

    blind = align.linear_probe(align.VideoTextModel(model.vision, Bag(), len(concepts.names)), tokenizer, ways, ["way", "side"])
    assert blind["side"]["read"] == 1.0 and blind["way"]["read"] <= 0.7, "a bag of words cannot tell the two ways apart"


def test_padding_and_later_words_change_nothing_before_them(ways):
    tokenizer = align.train_tokenizer(ways.captions("brief"))
    tower = align.text_tower(len(tokenizer)).eval()
    ids, mask = align.words(tokenizer, ["a scan from head to feet", "a scan from feet to head and more: lesion, CT, axial"])
    alone = align.words(tokenizer, ["a scan from head to feet"])
    with torch.no_grad():
        both, one = (tower(input_ids=i, attention_mask=m).last_hidden_state for i, m in ((ids, mask), alone))
    assert torch.allclose(both[0, :one.shape[1]], one[0], atol=1e-5)
    assert torch.allclose(both[0, :4], both[1, :4], atol=1e-5) and not torch.allclose(both[0, 4], both[1, 4], atol=1e-3)


def test_tokenizer_reads_words_only(toy):
    tokenizer = align.train_tokenizer(["No effusion; heart-rate 60."] * 3)
    ids, mask = align.words(tokenizer, ["no effusion", "NO EFFUSION!", "unheard"])
    assert ids[0].tolist() == ids[1].tolist() and ids[2][1] == tokenizer.unk_token_id


@pytest.mark.parametrize("load", [align.VideoTextModel.load, align.ClipData.load,
                                  lambda folder: align.ConceptSet.load(folder / "concepts.json")], ids=["model", "clips", "concepts"])
def test_a_folder_that_is_no_align_stage_is_refused(load, tmp_path):
    for folder in (tmp_path, tmp_path / "nope"):
        with pytest.raises(KitError, match=f"{folder} holds no .*kit.need.run, 'align'"):
            load(folder)
