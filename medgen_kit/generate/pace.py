"""How many steps fit into the minutes that a training may take: set from the first steps, corrected a third of the way."""

FIRST = 15                             # steps that are timed


def calibrate(state, recipe, seconds, say):
    """Set the number of steps from the time that the first 15 took (the first ones are slower, which leaves a margin)."""
    state["calibrated"] = True
    if recipe.minutes:
        each = seconds / FIRST
        state["total"] = max(20, min(recipe.max_steps, int(60 * recipe.minutes / each)))
        say(f"{1000 * each:.0f} ms a step: {state['total']} steps fit into {recipe.minutes:g} minutes (at most {recipe.max_steps})")


def correct(state, recipe, say):
    """Set the number of steps once more, a third of the way, from the time that all steps so far took: a machine's speed changes. The rate
    of learning is constant until the half, so the steps that were made would have been the same."""
    done, each = state["step"], state["seconds"] / state["step"]
    total = min(recipe.max_steps, max(2 * done, done + int((60 * recipe.minutes - state["seconds"]) / each)))
    if abs(total - state["total"]) > 0.05 * state["total"]:
        say(f"{1000 * each:.0f} ms a step: {total} steps instead of {state['total']}")
        state["total"] = total
