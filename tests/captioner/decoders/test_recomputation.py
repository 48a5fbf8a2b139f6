"""Every decoder gives what its paper's equations do, word by word in NumPy."""

import numpy as np

from annotator.captioner.decoders.brnn import BrnnDecoder
from annotator.captioner.decoders.log_bilinear import LogBilinearDecoder
from annotator.captioner.decoders.nic import NicDecoder
from annotator.captioner.decoders.soft import SoftDecoder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(layer, x, h, c):
    kernel, recurrent, bias = (w.numpy() for w in layer.cell.weights)
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def attend(layer, regions, h):
    keys = regions @ layer.region_projection.kernel.numpy()
    query = h @ layer.query_projection.kernel.numpy()
    query = query + layer.query_projection.bias.numpy()
    scores = np.tanh(keys + query) @ layer.score_weights.numpy()
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights @ regions


def dense(layer, x):
    return x @ layer.kernel.numpy() + layer.bias.numpy()


def region_vector(layer, regions):
    """The equations of `RegionVector`, region by region and center by center."""
    regions, centers = regions @ layer.projection.kernel.numpy(), layer.centers.numpy()
    vectors = np.zeros_like(centers)
    for x in regions:
        shares = np.exp(dense(layer.assignment, x))
        for k, share in enumerate(shares / shares.sum()):
            vectors[k] += share * (x - centers[k])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.ravel() * np.sqrt(centers.shape[1] / len(centers))


def attention_states(decoder, regions, tokens):
    soft = isinstance(decoder, SoftDecoder)
    lstms = [decoder.lstm] if soft else decoder.lstms
    k = len(lstms)
    seen = regions.mean(0)
    if decoder.region_vector is not None:
        seen = np.concatenate([seen, region_vector(decoder.region_vector, regions)])
    initial = np.tanh(dense(decoder.initial_projection, seen))
    initial = initial.reshape(k, 2, -1)
    h, c = list(initial[:, 0]), list(initial[:, 1])
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        if soft:
            x = np.concatenate([word, attend(decoder.attention, regions, h[0])])
            h[0], c[0] = lstm_step(lstms[0], x, h[0], c[0])
        else:
            h[0], c[0] = lstm_step(lstms[0], word, h[0], c[0])
        for j in range(1, k):
            context = attend(decoder.attentions[j - 1], regions, h[j - 1])
            x = np.concatenate([h[j - 1], context])
            h[j], c[j] = lstm_step(lstms[j], x, h[j], c[j])
        yield h[-1]


def nic_states(decoder, regions, tokens):
    image = dense(decoder.image_projection, regions.mean(0))
    h, c = lstm_step(decoder.lstm, image, *np.zeros((2, decoder.units)))
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        h, c = lstm_step(decoder.lstm, word, h, c)
        yield h


def brnn_states(decoder, regions, tokens):
    h = np.zeros(decoder.units)
    bias = regions.mean(0) @ decoder.image_projection.kernel.numpy()
    for word in decoder.embedding.embeddings.numpy()[tokens]:
        h = h @ decoder.recurrent_projection.kernel.numpy() + bias
        h = np.maximum(0, h + dense(decoder.word_projection, word))
        bias = 0
        yield h


def log_bilinear_states(decoder, regions, tokens):
    image = dense(decoder.image_projection, regions.mean(0))
    matrices = np.split(decoder.word_projection.kernel.numpy(), 3)
    vectors = decoder.embedding.embeddings.numpy()[[1, 1, *tokens]]
    for t in range(len(tokens)):
        yield sum(vectors[t + i] @ matrices[i] for i in range(3)) + image


def recompute(decoder, regions, tokens):
    """The papers' equations for one image and one caption, word by word."""
    by_type = {
        NicDecoder: nic_states,
        BrnnDecoder: brnn_states,
        LogBilinearDecoder: log_bilinear_states,
    }
    states = by_type.get(type(decoder), attention_states)
    hidden = np.stack(list(states(decoder, regions, tokens)))
    if not decoder.tied:
        return dense(decoder.output_projection, hidden)
    if decoder.bridge is not None:
        hidden = hidden @ decoder.bridge.kernel.numpy()
    logits = hidden @ decoder.embedding.embeddings.numpy().T
    return logits + decoder.output_bias.numpy()


def test_equals_a_recomputation_in_numpy(name, build, inputs):
    decoder, (regions, tokens) = build(name), inputs
    logits = decoder(regions, tokens)
    for b, c in np.ndindex(*tokens.shape[:2]):
        want = recompute(decoder, regions[b].numpy(), tokens[b, c].numpy())
        np.testing.assert_allclose(logits[b, c], want, atol=1e-5)
