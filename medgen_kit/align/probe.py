"""The linear probe: does the pooled caption still hold what its words said? The generator can follow nothing that is lost here."""

import numpy as np
import torch

from .train import words


def linear_probe(model, tokenizer, data, factors=None, kind="brief", at_most=400):
    """{factor: {"read": share, "guess": share, "captions": count}}: a logistic regression reads every factor from the pooled caption.

    factors: names such as "ctmr.direction" (default: all that the clips have). Fitted on captions of the training split, tried on
    those of the test split, which also holds combinations that training never showed. guess: what the commonest value of the training
    captions gives. Factors that have one value only in either split are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    found = {}
    for factor in factors or sorted({name for row in data.rows for name in row["factors"] if name != "modality"}):
        sets = [[i for i in data.split(name) if factor in data.rows[i]["factors"]][:at_most] for name in ("train", "test")]
        answers = [np.array([data.rows[i]["factors"][factor] for i in numbers]) for numbers in sets]
        if any(len(set(values)) < 2 for values in answers):
            continue
        fitted, tried = (pooled(model, tokenizer, [data.rows[i][kind] for i in numbers]) for numbers in sets)
        reader = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(fitted, answers[0])
        common = max(sorted(set(answers[0])), key=list(answers[0]).count)
        found[factor] = {"read": float(reader.score(tried, answers[1])), "guess": float((answers[1] == common).mean()),
                         "captions": len(sets[1])}
    return found


@torch.no_grad()
def pooled(model, tokenizer, captions, batch=128):
    """float32 [N, D]: the pooled captions, as the generator is handed them."""
    parts = [model.read(*words(tokenizer, captions[i:i + batch])) for i in range(0, len(captions), batch)]
    return torch.cat(parts).numpy()
