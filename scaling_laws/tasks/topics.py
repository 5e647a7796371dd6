"""Made-up sentences about five topics, told apart by the choice of words, and not quite."""

from collections.abc import Sequence

from scaling_laws.tasks.generated import generator

NOUNS = {
    "cooking": ("soup", "bread", "oven", "sauce", "pepper", "kitchen", "onion", "recipe", "butter", "supper"),
    "music": ("song", "piano", "choir", "rhythm", "concert", "violin", "melody", "singer", "drum", "album"),
    "sport": ("match", "team", "goal", "race", "coach", "stadium", "player", "trophy", "referee", "league"),
    "travel": ("train", "hotel", "ticket", "border", "passport", "airport", "suitcase", "journey", "island", "guide"),
    "weather": ("storm", "cloud", "rain", "frost", "forecast", "thunder", "breeze", "drought", "flood", "snow"),
}
VERBS = {
    "cooking": ("stirred", "baked", "tasted", "chopped", "served"),
    "music": ("played", "sang", "rehearsed", "composed", "tuned"),
    "sport": ("scored", "won", "trained", "defended", "kicked"),
    "travel": ("booked", "crossed", "visited", "packed", "departed"),
    "weather": ("froze", "melted", "drifted", "gathered", "cleared"),
}
ADJECTIVES = {
    "cooking": ("salty", "crisp", "fresh", "sweet", "burnt"),
    "music": ("loud", "gentle", "slow", "tuneful", "sad"),
    "sport": ("fast", "injured", "proud", "tired", "unbeaten"),
    "travel": ("distant", "crowded", "foreign", "late", "scenic"),
    "weather": ("cold", "windy", "grey", "humid", "mild"),
}
FRAMES = (
    "the {a} {n} {v} near the {m}",
    "a {n} and a {m} {v} in the {b} morning",
    "we thought that the {n} was {a} until the {m} {v}",
    "nobody {v} the {a} {n} after the {m}",
    "on Sunday the {n} {v} and the {m} looked {b}",
)
SLOTS = (("n", NOUNS), ("m", NOUNS), ("v", VERBS), ("a", ADJECTIVES), ("b", ADJECTIVES))
TOPICS = tuple(NOUNS)
ON_TOPIC = 0.6  # chance of a word to come from the sentence's own topic; else it comes from any


def sentences(n: int) -> tuple[list[str], list[str]]:
    """`n` sentences and their topics. Fewer sentences are the first of more."""
    chances = generator(1905).random((n, 2 + 3 * len(SLOTS)))
    texts, topics = [], []
    for own, frame, *rest in chances.tolist():
        topic = _pick(TOPICS, own)
        words = {}
        for k, (slot, lexicon) in enumerate(SLOTS):
            stays, other, word = rest[3 * k : 3 * k + 3]
            words[slot] = _pick(lexicon[topic if stays < ON_TOPIC else _pick(TOPICS, other)], word)
        texts.append(_pick(FRAMES, frame).format(**words))
        topics.append(topic)
    return texts, topics


def _pick(choices: Sequence[str], chance: float) -> str:
    return choices[int(chance * len(choices))]
