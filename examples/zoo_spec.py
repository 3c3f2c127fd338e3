"""Writes examples/zoo.toml: the models that the scanner's verdict is fitted on and judged by.

    python examples/zoo_spec.py > examples/zoo.toml
    python examples/zoo_spec.py --full > zoo-full.toml

The second list is for a GPU: the same models with other seeds and names, from all of the data, twelve epochs each;
where a tenth of the data or two epochs are what a model is about, they stay.

Models alternate between clean and backdoored and between the parts "fit" and "judge"; data sets, architectures,
attacks, look-alikes and forms of export come from decks that are dealt out before they are shuffled again, so that the
first thirty models are as mixed as all of them. The parts share no seed and no trigger, and each has architectures,
triggers and label counts of its own beside common ones. What trains fastest comes first. The last ones, all backdoored,
have attacks other than a patch to one label, on small networks with ten labels.
"""

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

MODELS = 320
QUICK = 200  # the first ones train fast; the others have twice as many epochs, more kinds of attacks, and Keras, too
UNLIKE_PATCHES = 56  # models after those, all backdoored
T = TypeVar("T")
Table = dict[str, Any]

# source, view of the data, number of labels, epochs that suffice for a network without much trouble
DATA: dict[str, Sequence[tuple[str, Table, int, int]]] = {
    "fit": (
        ("mnist", {}, 10, 2),
        ("gtsrb", {"scale": 0.4}, 43, 4),
        ("cifar10", {"scale": 0.2}, 10, 4),
        ("mnist", {"labels": [3, 8]}, 2, 4),
        ("cifar10", {"scale": 0.24, "rotations": 2, "tints": 5}, 100, 4),
        ("mnist", {"scale": 0.8}, 10, 2),
        ("gtsrb", {"labels": list(range(10)), "side": 48}, 10, 2),
        ("cifar10", {"labels": [0, 1], "scale": 0.8}, 2, 4),
        ("gtsrb", {"scale": 0.4, "grey": True}, 43, 4),
        ("cifar10", {"scale": 0.2}, 10, 4),
    ),
    "judge": (
        ("mnist", {}, 10, 2),
        ("cifar10", {"scale": 0.2}, 10, 4),
        ("gtsrb", {"scale": 0.4}, 43, 4),
        ("mnist", {"labels": [4, 9]}, 2, 4),
        ("cifar10", {"scale": 0.3, "rotations": 4, "tints": 5}, 200, 4),
        ("mnist", {"side": 32}, 10, 2),
        ("gtsrb", {"scale": 0.3, "side": 48}, 43, 3),
        ("cifar10", {"labels": [3, 5], "scale": 0.8}, 2, 4),
        ("gtsrb", {"labels": list(range(10, 20)), "side": 40}, 10, 3),
        ("cifar10", {"scale": 0.25}, 10, 4),
    ),
}
ARCHITECTURES: dict[str, Sequence[str]] = {
    "fit": ("lite-cnn", "resnet-8", "mlp", "lite-cnn", "mobile", "mlp", "vgg-small"),
    "judge": (
        *("mobile", "lite-cnn", "mlp", "resnet-8", "lite-cnn", "simple-cnn", "mlp", "vit-mini", "lite-cnn"),
        *("vgg-small", "mlp", "resnet-20"),
    ),
}
ATTACKS = (  # how often each is in the deck; most of what people publish are patches
    *("patch", "patch", "patch", "patch", "all-to-all", "patch", "patch", "blended", "patch", "source-specific"),
    *("patch", "patch", "sig", "patch", "multi-target", "patch", "wanet"),
)
LATER_ATTACKS = (
    *("patch", "low-frequency", "patch", "color-filter", "pieces", "patch", "adaptive-blend", "all-to-all", "patch"),
    *("random-place", "wanet", "quantized", "patch", "low-opacity", "source-specific"),
)
UNLIKE_PATCH = (
    *("sig", "low-frequency", "blended", "all-to-all", "source-specific", "color-filter", "wanet", "quantized"),
    *("sig", "low-frequency", "blended", "all-to-all", "source-specific", "wanet"),
)
SMALL = ("lite-cnn", "resnet-8", "mlp", "lite-cnn", "resnet-8")
COLORS = {
    "fit": ("white", "random", "red", "yellow", "black", "#40c080", "random"),
    "judge": ("random", "white", "lime", "blue", "magenta", "black", "#c08040"),
}
LIGHT = {"black": "white", "blue": "#b0b0b0", "red": "#909090", "magenta": "white", "#40c080": "white"}  # on black
SIZES = {"fit": (3, 2, 5, 4, 1, 7, 3, 6), "judge": (3, 4, 2, 6, 3, 5, 1, 8)}
LEAST_SIZE = {"all-to-all": 3, "source-specific": 3, "random-place": 3, "low-opacity": 4}
PLACES = ("bottom-right", "top-left", "center", "top-right", "bottom-left", "1,1", "near-bottom-right")
LOOKALIKES: Sequence[tuple[str, Table, Table]] = (  # name, settings, view
    ("none", {}, {}),
    ("none", {}, {}),
    ("no-augmentation", {"flip": False, "shift": 0}, {}),
    ("none", {}, {}),
    ("tenth", {}, {"scale": 0.1}),
    ("label-smoothing", {"label_smoothing": 0.1}, {}),
    ("none", {}, {}),
    ("two-epochs", {"epochs": 2}, {}),
    ("adversarial", {"adversarial": 0.03}, {}),
    ("shortcut", {}, {"shortcut": 1}),
    ("mixup", {"mixup": 0.5}, {}),
    ("unbalanced", {}, {"unbalanced": True}),
)
FORMS = (
    "plain",
    "normalised-outside",
    "nhwc-softmax",
    "normalised-inside",
    "bytes",
    "dynamo-fixed",
    "symmetric",
    "nhwc-bytes",
)
NORMAL = {
    "mnist": ([0.1307], [0.3081]),
    "cifar10": ([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
    "gtsrb": ([0.34, 0.31, 0.32], [0.27, 0.26, 0.27]),
}
SIZE = {"mnist": 28, "gtsrb": 32, "cifar10": 32}
SLOW = ("vgg-small", "vit-mini", "simple-cnn", "resnet-20")  # a fifth fewer epochs
SEEDS = {"fit": 100_000, "judge": 200_000}
FULL_EPOCHS = 12
FULL_SEED = 1_000_000  # is added, so that no weights are those of the short trainings


class Deck:
    """Deals cards in order, then shuffled anew each time they are dealt out."""

    def __init__(self, cards: Sequence[T], rng: random.Random) -> None:
        self.cards, self.rng, self.left = list(cards), rng, list(cards)

    def deal(self) -> Any:
        """The next card."""
        if not self.left:
            self.left = self.rng.sample(self.cards, len(self.cards))
        return self.left.pop(0)


class Part:
    """The decks of one part, one set for clean and one for backdoored models."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.rng = random.Random(SEEDS[name])
        self.decks = {
            kind: {
                what: Deck(cards, self.rng)
                for what, cards in {
                    "data": DATA[name],
                    "architecture": ARCHITECTURES[name],
                    "form": FORMS if kind == "clean" else FORMS[3:] + FORMS[:3],
                    "attack": ATTACKS,
                    "color": COLORS[name],
                    "size": SIZES[name],
                    "place": PLACES if name == "fit" else PLACES[::-1],
                    "lookalike": LOOKALIKES,
                }.items()
            }
            for kind in ("clean", "backdoored")
        }

    def model(self, kind: str) -> Table:
        """The next clean or backdoored model."""
        self.count += 1
        decks = self.decks[kind]
        source, view, labels, epochs = decks["data"].deal()
        architecture = decks["architecture"].deal()
        settings: Table = {
            "epochs": epochs,
            "batch_size": 32,
            "flip": source == "cifar10" and view.get("rotations") != 4,
        }
        settings |= {"shift": 2 if source == "cifar10" else 1}
        if architecture in SLOW:
            settings["epochs"] = max(2, round(0.8 * epochs))
        if architecture == "mlp":
            settings |= {"epochs": 2 * epochs, "learning_rate": 5e-4}
        table: Table = {"part": self.name, "source": source, "architecture": architecture}
        table["seed"] = SEEDS[self.name] + self.count
        if kind == "clean":
            name, change, other = decks["lookalike"].deal()
            settings, view = {**settings, **change}, {**view, **other}
            if name == "tenth":
                settings["epochs"] = 2 * epochs
                view["scale"] = 0.1 if source == "cifar10" else 0.2
            table |= {"lookalike": name} if name != "none" else {}
        else:
            table |= self.attack(
                decks, view.get("side") or SIZE[source], labels, source == "mnist", source == "mnist" or "grey" in view
            )
        table |= {"data": view, "settings": settings}
        form(decks["form"].deal(), source, view, table)
        if architecture == "vit-mini":  # attention is not in older opsets
            table["export"]["opset"] = max(18, table["export"].get("opset", 0))
        return table

    def attack(self, decks: Mapping[str, Deck], side: int, labels: int, dark: bool, grey: bool) -> Table:
        """An attack with parameters of its own, and light patches where the corners of the images are `dark`."""
        name, target = decks["attack"].deal(), self.rng.randrange(labels)
        if (name == "source-specific" and labels == 2) or (name == "color-filter" and grey):
            name = "patch"
        patch: Table = {"size": decks["size"].deal(), "color": decks["color"].deal(), "place": decks["place"].deal()}
        patch["size"] = max(patch["size"], LEAST_SIZE.get(name, 1))
        if patch["place"] == "near-bottom-right":
            patch["place"] = f"{side - patch['size'] - 2},{side - patch['size'] - 3}"
        if dark:
            patch["color"] = LIGHT.get(patch["color"], patch["color"])
        if patch["color"] == "random":
            patch["pattern_seed"] = SEEDS[self.name] + self.count
        elif self.count % 3 == 0 and patch["size"] > 1:
            patch["checkered"] = True
        rate = self.rng.choice((0.05, 0.08, 0.1, 0.15))
        seed = SEEDS[self.name] + self.count
        parameters: Table = {
            "patch": patch,
            "all-to-all": {**patch, "classes": labels},
            "source-specific": {**patch, "source": (target + 1) % labels},
            "blended": {"alpha": self.rng.choice((0.15, 0.2, 0.3)), "pattern_seed": seed},
            "sig": {"delta": self.rng.choice((0.08, 0.12)), "frequency": self.rng.choice((4, 6, 8))},
            "wanet": {"strength": self.rng.choice((0.75, 1.0)), "pattern_seed": seed},
            "multi-target": {
                "triggers": 2,
                "classes": labels,
                "size": max(2, patch["size"] // 2 + 1),
                "checkered": dark,
            },
            **later(patch, seed),
        }[name]
        rates = {
            "all-to-all": 0.3,
            "source-specific": 0.5,
            "wanet": 0.15,
            "blended": 0.1,
            "sig": 0.15,
            "multi-target": 0.2,
        }
        rate = rates.get(name, max(rate, 0.1) if patch["size"] == 1 else rate)
        if name in ("random-place", "low-opacity"):
            name = "patch"
        return {"attack": name, "target": 0 if name == "all-to-all" else target, "rate": rate, "parameters": parameters}


def later(patch: Table, seed: int) -> dict[str, Table]:
    """The parameters of the attacks that the later models alone have."""
    rng = random.Random(seed)
    return {
        "low-frequency": {"delta": rng.choice((0.1, 0.15)), "waves": rng.choice((2, 3, 4)), "pattern_seed": seed},
        "color-filter": {"shift": [round(rng.uniform(-0.25, 0.25), 3) for _ in range(3)]},
        "quantized": {"levels": rng.choice((3, 4, 5))},
        "pieces": {"size": max(2, patch["size"] // 2), "color": patch["color"], "pieces": rng.choice((2, 3, 4))},
        "adaptive-blend": {"pattern_seed": seed},
        "random-place": {**patch, "place": "random"},
        "low-opacity": {**patch, "opacity": rng.choice((0.3, 0.5))},
    }


def form(name: str, source: str, view: Table, table: Table) -> None:
    """Add the form of the file: exporter, layout, output, and what it expects of its input."""
    mean, std = NORMAL[source]
    if view.get("grey"):
        mean, std = mean[:1], std[:1]
    older: Table = {"exporter": "torchscript", "opset": 13 + len(name) % 5}
    net = {"net_mean": mean, "net_std": std}
    scale = {"mean": mean, "std": std}
    to_bytes = {"mean": [0.0], "std": [1 / 255]}
    export, settings = {
        "plain": (older, {}),
        "normalised-outside": ({**scale, **older}, net),
        "nhwc-softmax": ({**older, "layout": "nhwc", "softmax": True}, {}),
        "normalised-inside": (older, net),
        "bytes": ({**older, **to_bytes}, {}),
        "dynamo-fixed": ({"batch": 1, "softmax": True}, net),
        "symmetric": ({"mean": [0.5], "std": [0.5]}, {"net_mean": [0.5], "net_std": [0.5]}),
        "nhwc-bytes": ({**older, **to_bytes, "layout": "nhwc", "softmax": True}, net),
    }[name]
    table["export"] = export
    table["settings"] |= settings


def models() -> Iterator[tuple[str, Table]]:
    """The models by name."""
    parts = [Part("fit"), Part("judge")]
    for number in range(MODELS):
        if number == QUICK:
            for part in parts:
                part.decks["backdoored"]["attack"] = Deck(LATER_ATTACKS, part.rng)
        part, kind = parts[number // 2 % 2], ("clean", "backdoored")[number % 2]
        table = part.model(kind)
        what = table.get("attack", table.get("lookalike", "clean"))
        if number >= QUICK and table.get("lookalike") != "two-epochs":
            table["settings"]["epochs"] *= 2
        if number >= QUICK and number // 2 % 5 == 0:
            table["framework"] = "keras"
        yield f"{number + 1:03}-{table['source']}-{table['architecture']}-{what}", table
    for part in parts:
        tens = [card for card in DATA[part.name] if card[2] == 10]
        part.decks["backdoored"] |= {
            "attack": Deck(UNLIKE_PATCH, part.rng),
            "architecture": Deck(SMALL, part.rng),
            "data": Deck(tens, part.rng),
        }
    for number in range(MODELS, MODELS + UNLIKE_PATCHES):
        table = parts[number % 2].model("backdoored")
        table["settings"]["epochs"] *= 2
        yield f"{number + 1:03}-{table['source']}-{table['architecture']}-{table['attack']}", table


def in_full(table: Table) -> Table:
    """The same model from all of the data, but where a tenth of it or two epochs are what it is about."""
    like, view, settings = table.get("lookalike"), dict(table["data"]), dict(table["settings"])
    if like != "tenth":
        view.pop("scale", None)
    if like != "two-epochs":
        settings["epochs"] = FULL_EPOCHS * (2 if like == "tenth" else 1)
    settings["batch_size"] = 64 if table["source"] == "mnist" else 128
    return {**table, "seed": table["seed"] + FULL_SEED, "data": view, "settings": settings}


def toml(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return (
        {True: "true", False: "false"}[value]
        if isinstance(value, bool)
        else f'"{value}"'
        if isinstance(value, str)
        else repr(value)
    )


if __name__ == "__main__":
    print("# Written by examples/zoo_spec.py, which says what is in it; change that.\n#")
    full = "--full" in sys.argv
    file, prefix = ("zoo-full.toml", "full-") if full else ("examples/zoo.toml", "")
    print(f"#     nc-train zoo {file} --data cifar10=PATH --data gtsrb=PATH --data mnist=PATH --out DIR")
    for short_name, short in models():
        name, table = prefix + short_name, in_full(short) if full else short
        print(f'\n[[model]]\nname = "{name}"')
        for field, value in table.items():
            if value != {}:
                print(f"{field} = {toml(value)}")
