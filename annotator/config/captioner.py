"""Settings of the captioner: its network, its training and its decoding."""

import dataclasses
import functools

from annotator.config.setting import Settings, setting

_captioner = functools.partial(setting, group="captioner")
_training = functools.partial(setting, group="training")
_decoding = functools.partial(setting, group="decoding", exported=True)

# Decoders without attention.
_INATTENTIVE = ("nic", "log_bilinear", "brnn")


@dataclasses.dataclass(frozen=True)
class CaptionerSettings(Settings):
    """The captioner."""

    captioner_tap: str | None = _captioner(
        None,
        "Layer whose maps the captioner reads.",
        unset="vgg16: block5_conv3, vgg19: block5_conv4, resnet50: conv4_block6_out, "
        "alexnet: conv5; of other networks the last layer of stride 16",
    )
    region_power: float = _captioner(
        1.0,
        "Power of the values of regions before they are standardized; 0.5 is the "
        "square root.",
        above=0,
    )
    min_count: int = _captioner(
        5, "Training occurrences that put a word into the vocabulary.", least=1
    )
    max_length: int = _captioner(
        20, "Words per caption, in training and decoding.", least=1
    )
    decoder: str = _captioner(
        "stacked",
        "The network that writes; stacked is the published one.",
        choices=("stacked", "soft", "hard", "nic", "log_bilinear", "brnn"),
    )
    layers: int = _captioner(2, "Layers of the stacked decoder.", least=1, most=6)
    feedback: str = _captioner(
        "draft",
        "Where the feedback's text comes from; given, it comes with a round.",
        choices=("draft", "causal"),
    )
    rounds: int = _captioner(
        0,
        "Rounds of text feedback; 0 for none, as where --decoder is not stacked.",
        least=0,
    )
    feedback_score: str = _captioner(
        "additive",
        "How feedback scores a region v against the text s: additive, w^T tanh(W_v v + "
        "W_s s), or scalar, tanh(W_v v + W_s s) of one unit, as printed in the paper.",
        choices=("additive", "scalar"),
    )
    feedback_on: str = _captioner(
        "regions",
        "What these scores weigh: the regions, or, as logarithms that are added to its "
        "scores, the attention.",
        choices=("regions", "attention"),
    )
    feedback_start: int = _training(
        1, "Epochs trained before the feedback joins; 0 if --epochs=1.", least=0
    )
    units: int = _captioner(512, "Width of states and word vectors.", least=1)
    attention_units: int = _captioner(256, "Width of the additive attention.", least=1)
    init_from: str | None = _captioner(
        None,
        "Workdir of an earlier run, or a preset such as photos, whose captioner this "
        "one starts from: words that both know keep their vectors, others get new "
        "ones.",
    )
    ensemble: tuple[str, ...] = _captioner(
        (),
        "Workdirs of trained captioners, or presets, with the same words and regions: "
        "none is trained, those write together by the mean of their log probabilities.",
    )
    distill: str | None = _captioner(
        None,
        "Workdir or preset of a trained captioner, such as an ensemble, with the same "
        "words and regions: its word probabilities are learned beside the references.",
    )
    distill_weight: float = _training(
        0.5,
        "Share of the loss that compares with these; the references have the rest.",
        least=0,
        most=1,
    )
    tied: bool = _captioner(
        False, "Whether the word vectors are also the weights of the output."
    )
    dropout: float = _captioner(0.4, "Rate of dropout.", least=0, below=1)
    context_dropout: float = _captioner(
        0.0,
        "Rate of dropout on the contexts that attention finds, which --dropout leaves.",
        least=0,
        below=1,
    )
    condition: str = _captioner(
        "none",
        "What the first states see beside the mean region: vector is a learned VLAD of "
        "the regions.",
        choices=("none", "vector"),
    )
    epochs: int = _training(
        12,
        "Passes over the training captions; 0 for rewards alone, of the captioner that "
        "--init_from names.",
        least=0,
    )
    self_critical_epochs: int = _training(
        0,
        "Passes over the training images after these, from the best weights on, in "
        "which the captioner learns from the CIDEr-D of captions it draws itself "
        "(Rennie et al., CVPR 2017).",
        least=0,
    )
    self_critical_rate: float = _training(
        1e-4, "Peak learning rate of these, decayed to 0 by a cosine.", above=0
    )
    self_critical_samples: int = _training(
        5, "Captions drawn for each image of these.", least=2
    )
    self_critical_temperature: float = _training(
        1.0,
        "What logits are divided by where these are drawn: below 1 the probable words "
        "gain. What is drawn from is what learns.",
        above=0,
    )
    self_critical_top_k: int = _training(
        0,
        "Words that these are drawn from at each step, the likeliest; 0 for all.",
        least=0,
    )
    self_critical_top_p: float = _training(
        1.0,
        "The same by their probability: the likeliest that reach this sum; 1 for all.",
        least=0.01,
        most=1,
    )
    self_critical_dropout: bool = _training(
        False,
        "Whether --dropout holds where these are learned; they are drawn without it.",
    )
    caption_batch: int = _training(
        16, "Images per training step, each with all its captions.", least=1
    )
    caption_flip: bool = _training(
        True,
        "Whether training sees every other epoch an image's mirror image; where the "
        "backbone is trained too, whether augmentation mirrors images.",
    )
    schedule: str = _training(
        "cosine",
        "cosine: AdamW, warm-up, cosine decay; paper: SGD with Nesterov momentum 0.9, "
        "a tenth of the rate every 10 epochs.",
        choices=("cosine", "paper"),
    )
    learning_rate: float = _training(1e-3, "Peak learning rate.", above=0)
    dense_rate: float = _training(
        1.0, "What the rate is multiplied by for weights of dense layers.", least=0
    )
    convolution_rate: float = _training(
        0.01,
        "The same for convolutions, where the backbone is trained.",
        least=0,
    )
    finetune_backbone: bool = _training(
        False, "Trains the backbone too, on augmented images."
    )
    weight_decay: float = _training(0.01, "Weight decay of AdamW.", least=0)
    clip_norm: float = _training(5.0, "Largest global norm of a gradient.", above=0)
    label_smoothing: float = _training(
        0.1, "Share of the target spread over all words.", least=0, below=1
    )
    attention_regularizer: float = _training(
        0.0, "Weight of the doubly stochastic attention penalty.", least=0
    )
    select_by: str = _training(
        "bleu_4",
        "Validation score that picks the weights; of equal ones the other, then the "
        "loss decides.",
        choices=("bleu_4", "cider"),
    )
    patience: int = _training(
        4, "Epochs without a better score before training stops.", least=1
    )
    beams: int = _decoding(5, "Beams of the search.", least=1)
    length_penalty: float = _decoding(
        0.7,
        "Power of the length that a caption's log probability is divided by.",
        least=0,
    )
    rerank: bool = _decoding(
        True,
        "Whether the beams are ranked by how near they are to what the regions predict "
        "people to say (fitted to the training captions in closed form).",
        before=False,
    )
    rerank_weight: float = _decoding(
        0.03, "Weight of the search's own score where beams are ranked anew.", least=0
    )
    no_repeat_ngram: int = _decoding(
        0, "Length of n-grams that a caption may not repeat; 0 for none.", least=0
    )
    checkpoint_steps: int = _training(
        100, "Steps between checkpoints.", least=1, free=True
    )
    jit_compile: bool = _training(
        True,
        "Whether XLA compiles the attention: much faster to run, slower to start.",
        free=True,
    )

    def check_together(self) -> None:
        for name in ("init_from", "finetune_backbone", "distill"):
            if self.ensemble and getattr(self, name):
                raise ValueError(
                    f"--ensemble trains nothing, so --{name} says nothing: leave out "
                    "one of the two."
                )
        if self.distill and self.finetune_backbone:
            raise ValueError(
                "--distill needs the regions that the trained captioner knows, which "
                "--finetune_backbone changes: leave out one of the two."
            )
        for name in ("context_dropout", "condition"):
            value = getattr(self, name)
            if self.decoder in _INATTENTIVE and value != self.settings()[name].default:
                raise ValueError(
                    f"--decoder={self.decoder} has no attention, so --{name}={value} "
                    "says nothing: leave it out, or take --decoder=stacked, soft or "
                    "hard."
                )
        rewards_alone = self.init_from and self.self_critical_epochs
        if not (self.epochs or self.ensemble or rewards_alone):
            raise ValueError(
                "--epochs=0 learns no captions: say 1 or more, or --init_from and "
                "--self_critical_epochs, so that a trained captioner learns rewards."
            )
        if self.rounds and self.feedback_start >= max(self.epochs, 1):
            raise ValueError(
                f"--feedback_start={self.feedback_start} leaves none of "
                f"--epochs={self.epochs} to learn the feedback: lower it, or say "
                "--rounds=0."
            )
        if self.rounds and self.feedback == "causal" and self.decoder in _INATTENTIVE:
            raise ValueError(
                f"--decoder={self.decoder} has no attention that --feedback=causal "
                "could steer: say --feedback=draft, or --rounds=0."
            )
        if self.feedback_on == "attention" and self.decoder in _INATTENTIVE:
            raise ValueError(
                f"--decoder={self.decoder} has no attention that "
                "--feedback_on=attention could steer: say --feedback_on=regions."
            )
