"""CLIPScore of long captions: no word is lost, three captions have three scores, short ones score as ever."""

import numpy as np
import pytest
import torch
from PIL import Image

from medgen_kit.errors import KitError
from medgen_kit.evaluate import text_alignment
from medgen_kit.evaluate.result import aggregate, comparable
from medgen_kit.evaluate.text_alignment import clip_score, from_clip, split

SHORT = "a heart beats"
LONG = ["The liver is smooth and red in this view. A grasper enters from the left side. Some smoke rises over the fat.",
        "The lung is grey and still in this view. A needle waits at the right side. Some water drops from the tube.",
        "The brain is shown in slices from head to feet. The skull is bright and round. No lesion is seen anywhere here."]
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)               # of CLIP's pictures
LIMIT = 40                                    # letters: the tokenizer below has one token a letter


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CLIP of random weights with a letter-by-letter tokenizer, saved as on the hub."""
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    place = tmp_path_factory.mktemp("clip")
    letters = [chr(c) for c in range(33, 127)]
    names = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[], model_max_length=LIMIT)
    tokenizer.save_pretrained(place)
    torch.manual_seed(1)
    small, end = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}, len(names) - 1
    text = small | {"vocab_size": len(names), "num_hidden_layers": 2, "max_position_embeddings": LIMIT, "bos_token_id": end - 1,
                    "eos_token_id": end, "pad_token_id": end}
    sight = small | {"num_hidden_layers": 1, "image_size": 16, "patch_size": 8}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=sight, projection_dim=24))
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
    model.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def towers(folder):
    return from_clip(folder)


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (12, 24, 32, 3), np.uint8)


def liking(towers):
    """An image encoder whose vectors lie near those of texts, so that no cosine is cut at 0 (random towers disagree as often as not)."""
    middle = towers.text_encoder([SHORT, *LONG]).mean(0)
    return lambda pictures: middle + 0.1 * towers.image_encoder(pictures)


def lettered(text):
    """One token a letter and a mark at both ends."""
    return [0, *(ord(letter) for letter in text if letter != " "), 1]


def letters_of(texts):
    """A text as its counts of letters: every letter changes it."""
    return np.array([[text.count(chr(c)) for c in range(97, 123)] for text in texts], float)


def test_a_short_caption_scores_as_plain_clipscore(folder, towers, frames):
    from transformers import AutoTokenizer, CLIPModel

    model, words = CLIPModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    shown = [Image.fromarray(frames[int((k + 0.5) / 8 * 12)]).resize((21, 16), Image.BICUBIC).crop((2, 0, 18, 16)) for k in range(8)]
    levels = (np.stack([np.asarray(one) for one in shown]) / 255 - MEAN) / STD
    with torch.no_grad():
        seen = model.vision_model(pixel_values=torch.as_tensor(levels).float().permute(0, 3, 1, 2)).pooler_output
        pictures = model.visual_projection(seen)
        inputs = words([SHORT], return_tensors="pt")
        read = model.text_projection(model.text_model(**inputs).pooler_output)
        plain = 100 * torch.cosine_similarity(pictures, read).clamp(min=0)
    found = clip_score(frames, SHORT, *towers)
    assert found.value == pytest.approx(float(plain.mean()), abs=1e-4) and found.per_frame == pytest.approx(plain.tolist(), abs=1e-4)
    assert found.parts == 1 and found.lost == 0 and len(found.per_frame) == 8


def test_three_long_captions_have_three_scores_where_a_cut_without_end_token_has_one(folder, towers, frames):
    from transformers import AutoTokenizer, CLIPModel

    model, words = CLIPModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():                     # what a plain slice of the ids gives: the end token is gone, the tower reads at place 0
        sliced = [model.text_model(torch.tensor([words(text, verbose=False)["input_ids"][:LIMIT]])).pooler_output[0] for text in LONG]
    assert torch.allclose(sliced[0], sliced[1], atol=1e-6) and torch.allclose(sliced[0], sliced[2], atol=1e-6)
    assert len({round(clip_score(frames, text, liking(towers), *towers[1:]).value, 3) for text in LONG}) == 3


def test_every_word_is_in_one_part_and_every_part_fits(towers):
    for text in (*LONG, "word " * 60 + "end.", "x" * 150 + " tail.", "One. Two. Three is longer than all of the others, by far and away!"):
        parts = split(text, towers.tokenizer, LIMIT)
        assert "".join("".join(part for part, _ in parts).split()) == "".join(text.split())
        assert all(len(towers.tokenizer(part)) <= LIMIT and tokens == len(towers.tokenizer(part)) - 2 > 0 for part, tokens in parts)


def test_sentences_stay_whole_and_long_ones_are_cut_between_words_into_even_windows():
    assert split("A heart beats. A lung moves.", lettered, 14) == [("A heart beats.", 12), ("A lung moves.", 11)]
    parts = split("aaaa bbbb cccc dddd eeee ffff", lettered, 18)
    assert [part for part, _ in parts] == ["aaaa bbbb cccc", "dddd eeee ffff"]


def test_the_average_is_weighted_by_tokens_and_by_hand_the_same():
    see = lambda pictures: np.eye(26)[[0, 1]]                                                                              # noqa: E731
    found = clip_score(np.zeros((2, 4, 4, 3), np.uint8), "aaaaaa. bb.", see, letters_of, lettered, limit=9, count=None)
    assert found.parts == 2 and found.per_frame == pytest.approx([70, 30]) and found.value == pytest.approx(50)
    assert clip_score(np.zeros((2, 4, 4, 3), np.uint8), "aaaaaa. bb.", see, letters_of, lettered, 99, None).parts == 1


def test_negative_cosines_count_as_nothing():
    found = clip_score(np.zeros((2, 4, 4, 3), np.uint8), "a", lambda shown: [-np.eye(26)[0], np.eye(26)[0]], letters_of, lettered, 9, None)
    assert found.per_frame == [0, 100] and found.value == 50


def test_the_share_that_a_plain_cut_loses_is_reported(towers, frames):
    own = len(towers.tokenizer(LONG[0])) - 2
    found = clip_score(frames, LONG[0], *towers)
    assert found.lost == pytest.approx((own - (LIMIT - 2)) / own) and 0.4 < found.lost < 0.7 and found.as_dict()["lost"] == found.lost
    assert text_alignment.lost("aaaa bbbb", lettered, 6) == 0.5 and text_alignment.lost("", lettered, 6) == 0


def test_the_last_sentence_counts(towers, frames):
    told, other = LONG[0], LONG[0].replace("smoke rises", "blood drops")
    scores = [clip_score(frames, text, liking(towers), *towers[1:]).value for text in (told, other)]
    assert min(scores) > 1 and abs(scores[0] - scores[1]) > 1e-3


def test_nothing_to_read_is_a_reason_and_wrong_input_an_error(towers, frames):
    assert clip_score(frames, "  ", *towers).value is None and "prompt" in clip_score(frames, "  ", *towers).reason
    assert "frames" in clip_score(frames[:0], "a heart", *towers).reason
    with pytest.raises(KitError, match="uint8"):
        clip_score(frames.astype(float), "a heart", *towers)
    for prompt in (None, float("nan"), ["a heart"]):
        with pytest.raises(KitError, match="text of a prompt, not"):
            clip_score(frames, prompt, *towers)
    with pytest.raises(KitError, match="uint8"):
        clip_score(None, "a heart", *towers)
    with pytest.raises(KitError, match="one space"):
        clip_score(frames, "a heart", towers.image_encoder, letters_of, lettered)
    with pytest.raises(KitError, match="no room"):
        split("a heart", lettered, 2)


def test_results_go_into_an_aggregate_and_not_beside_another_limit(towers, frames):
    rows = [clip_score(frames, text, *towers) for text in (SHORT, *LONG)]
    assert aggregate(rows)["n"] == 4
    with pytest.raises(KitError, match="text"):
        comparable([rows[0], clip_score(frames, SHORT, *towers[:3], 20, 8, towers.settings)])


def test_the_towers_of_the_course_fit(tmp_path, frames):
    from medgen_kit.align import VideoTextModel, text_tower, train_tokenizer, video_tower

    words = train_tokenizer([SHORT, *LONG] * 2)
    VideoTextModel(video_tower(9, 32, 32, 1), text_tower(len(words), 32, 1, 144), 3).save(tmp_path, words)
    found = text_alignment.tower(tmp_path)
    assert found.limit == 144 and found.count == 9 and len(found.settings["weights"]) == 64
    model, again = VideoTextModel.load(tmp_path)
    result = clip_score(frames, LONG[2], *found)
    from medgen_kit import video

    with torch.no_grad():
        seen = model.video(torch.as_tensor(video.resize(frames[video.sample_indices(12, 9)], 32))[None])[0]
        read = again([LONG[2]], return_tensors="pt")
        cosine = float(seen @ model.text(read["input_ids"], read["attention_mask"])[0])
    assert result.parts == 1 and result.value == pytest.approx(100 * max(0, cosine), abs=1e-4)
    many = clip_score(frames, " ".join(LONG * 4), *found)
    assert many.parts > 1 and 0 < many.lost < 1
