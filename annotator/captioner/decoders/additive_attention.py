"""Additive attention over image regions, without the tensor it is famous for."""

import functools
import typing

import keras
import tensorflow as tf

from annotator.keras_support.gradients import custom_gradient

_CHUNK = 8  # queries that are scored together


@keras.saving.register_keras_serializable(package="annotator")
class AdditiveAttention(keras.layers.Layer):
    """Weighs image regions by what a query asks for.

    `score_qi = w^T tanh(W_r region_i + W_q query_q + b)`, the weights are the
    softmax of the scores over the regions, the context is the weighted sum of the
    regions. All queries of an image are answered at once.

    A direct computation holds `queries x regions x units` numbers for each image:
    gigabytes for the captions of one training batch. Here XLA fuses sum and tanh
    into the reductions, forward and backward, and the tensor is never stored.

    Args:
        units: A, the width in which regions and queries meet.
        jit_compile: Whether XLA compiles the scores. Without it the same numbers
            come from plain TensorFlow operations, which any server runs. (Not where
            keys and queries beyond +-40 cancel each other out.)
        **kwargs: Of `keras.layers.Layer`.

    Call arguments:
        queries: `[B, Q, H]`.
        keys: `[B, R, A]`, what `project` made of the regions.
        regions: `[B, R, D]`.
        region_mask: bool `[B, R]`, false for padding; by default there is none.
        region_weights: float32 `[B, Q, R]`, factors of the regions (and so of their
            keys) that differ from query to query; none by default.
        score_bias: float32 `[B, Q, R]` or `[B, 1, R]`, what is added to the scores
            before the softmax; nothing by default.

    Output shape:
        context `[B, Q, D]` and float32 attention weights `[B, Q, R]`.

    Reference: Bahdanau et al., Neural machine translation by jointly learning to
    align and translate, https://arxiv.org/abs/1409.0473.
    """

    def __init__(
        self, units: int, jit_compile: bool = True, **kwargs: typing.Any
    ) -> None:
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.units = units
        self.jit_compile = jit_compile
        # No bias here: keys of re-weighted regions are then re-weighted keys.
        self.region_projection = keras.layers.Dense(
            units, use_bias=False, dtype=self.dtype_policy, name="region_projection"
        )
        self.query_projection = keras.layers.Dense(
            units, dtype=self.dtype_policy, name="query_projection"
        )

    def build(self, queries_shape: tuple, regions_shape: tuple) -> None:
        self.region_projection.build(regions_shape)
        self.query_projection.build(queries_shape)
        self.score_weights = self.add_weight(
            shape=(self.units,),
            initializer=_score_initializer,
            autocast=False,  # the scores are float32
            name="score_weights",
        )
        self.built = True

    def project(self, regions: tf.Tensor) -> tf.Tensor:
        """The keys of regions, needed once an image, not once a word.

        They are float32 under every policy, for otherwise they would be cast at
        each word.

        Args:
            regions: `[B, R, D]`.

        Returns:
            float32 `[B, R, A]`.
        """
        return tf.cast(self.region_projection(regions), tf.float32)

    def scores(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        region_weights: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The scores before the softmax.

        Args:
            queries: As of a call.
            keys: As of a call.
            region_weights: As of a call.

        Returns:
            float32 `[B, Q, R]`.
        """
        tensors = [keys, self.query_projection(queries), self.score_weights]
        if region_weights is not None:
            tensors.append(region_weights)
        tensors = [tf.cast(tensor, tf.float32) for tensor in tensors]
        return (_compiled_scores if self.jit_compile else _plain_scores)(*tensors)

    def attention_weights(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        region_mask: tf.Tensor | None = None,
        region_weights: tf.Tensor | None = None,
        score_bias: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """The attention weights alone.

        Args:
            queries: As of a call.
            keys: As of a call.
            region_mask: As of a call.
            region_weights: As of a call.
            score_bias: As of a call.

        Returns:
            float32 `[B, Q, R]`.
        """
        scores = self.scores(queries, keys, region_weights)
        if score_bias is not None:
            scores += score_bias
        if region_mask is not None:
            scores = tf.where(region_mask[:, None], scores, scores.dtype.min)
        return tf.nn.softmax(scores)

    def call(
        self,
        queries: tf.Tensor,
        keys: tf.Tensor,
        regions: tf.Tensor,
        region_mask: tf.Tensor | None = None,
        region_weights: tf.Tensor | None = None,
        score_bias: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        weights = self.attention_weights(
            queries, keys, region_mask, region_weights, score_bias
        )
        shares = weights if region_weights is None else weights * region_weights
        return tf.cast(shares, regions.dtype) @ regions, weights

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "units": self.units,
            "jit_compile": self.jit_compile,
        }


def _score_initializer(shape, dtype=None):
    # As a Dense layer of one unit would be initialized: from both fans.
    kernel = keras.initializers.GlorotUniform()((shape[0], 1), dtype)
    return keras.ops.reshape(kernel, shape)


@custom_gradient
def _compiled_scores(*tensors):
    def gradients(grad):
        # One traced function serves layers of all widths, so it forgets the shapes.
        grads = _gradients_jit(grad, *tensors)
        pairs = zip(grads, tensors, strict=True)
        return [tf.ensure_shape(grad, tensor.shape) for grad, tensor in pairs]

    return _scores_jit(*tensors), gradients


@custom_gradient
def _plain_scores(*tensors):
    return (
        _scores(*tensors, fused=False),
        lambda grad: _gradients(grad, *tensors, fused=False),
    )


def _scores(keys, queries, score_weights, region_weights=None, fused=True):
    rational = fused and region_weights is None
    keys, queries = _terms(keys, queries, rational)
    factors = None if region_weights is None else region_weights[..., None]
    values = _tanh(keys[:, None], queries[:, :, None], factors, rational)
    # Not a batched product: with one column it crashes oneDNN at some sizes.
    flat = tf.reshape(values, [-1, tf.shape(values)[-1]])
    scores = tf.linalg.matvec(flat, score_weights)
    return tf.reshape(scores, tf.shape(values)[:-1])


def _gradients(grad, keys, queries, score_weights, region_weights=None, fused=True):
    """Gradients of the scores, image by image and a few queries at a time.

    So the tanh is computed once for all gradients and stays in the cache.
    """
    weighted = region_weights is not None
    rational = fused and not weighted
    images, count = tf.shape(queries)[0], tf.shape(queries)[1]
    by_query = [grad, queries]
    if weighted:
        by_query.append(region_weights)
    by_query = [_chunks(tensor, count) for tensor in by_query]

    def image(tensors):
        keys, grads, queries, *factors = tensors
        key_terms, query_terms = _terms(keys, queries, rational)
        chunks = tf.shape(grads)[0]

        def chunk(i, grad_keys, grad_score_weights, *arrays):
            grad = grads[i]  # [q, R]
            factor = factors[0][i][..., None] if weighted else None
            values = _tanh(key_terms, query_terms[i][:, None], factor, rational)
            slope = 1 - tf.square(values)  # [q, R, A]
            grad_sums = tf.linalg.matvec(slope, grad, transpose_a=True)
            of_keys = grad[..., None] * (slope * factor if weighted else slope)
            of_score_weights = tf.linalg.matvec(values, grad, transpose_a=True)
            results = [grad_sums * score_weights]
            if weighted:
                slope *= keys * score_weights
                results.append(grad * tf.reduce_sum(slope, axis=-1))
            return (
                i + 1,
                grad_keys + tf.reduce_sum(of_keys, axis=0),
                grad_score_weights + tf.reduce_sum(of_score_weights, axis=0),
                *(a.write(i, r) for a, r in zip(arrays, results, strict=True)),
            )

        arrays = [tf.TensorArray(tf.float32, chunks) for _ in tensors[2:]]
        zeros = tf.zeros_like(keys), tf.zeros_like(score_weights)
        _, grad_keys, grad_score_weights, *arrays = tf.while_loop(
            lambda i, *_: i < chunks, chunk, (0, *zeros, *arrays)
        )
        stacked = [array.stack() for array in arrays]
        return grad_keys * score_weights, grad_score_weights, *stacked

    grad_keys, grad_score_weights, *by_query = tf.map_fn(
        image,
        (keys, *by_query),
        # Of keys, of the score weights, and of all `by_query` but `grad` itself.
        fn_output_signature=(tf.float32,) * (1 + len(by_query)),
    )
    grad_queries, *grad_region_weights = (
        tf.reshape(t, [images, -1, tf.shape(t)[-1]])[:, :count] for t in by_query
    )
    grad_score_weights = tf.reduce_sum(grad_score_weights, axis=0)
    return [grad_keys, grad_queries, grad_score_weights, *grad_region_weights]


def _chunks(tensor, count):
    """`[B, Q, X]` as `[B, chunks, 8, X]`, zeros behind the last query."""
    tensor = tf.pad(tensor, [[0, 0], [0, -count % _CHUNK], [0, 0]])
    shape = [tf.shape(tensor)[0], -1, _CHUNK, tf.shape(tensor)[2]]
    return tf.ensure_shape(
        tf.reshape(tensor, shape), [tensor.shape[0], None, _CHUNK, tensor.shape[2]]
    )


def _terms(keys, queries, rational):
    """What `_tanh` wants of keys and queries.

    For the rational form, `tanh(a + b) = 1 - 2 / (1 + exp(2a) exp(2b))`, the
    exponentials: they are taken once a key and once a query, and each pair then
    costs a product and a division, several times less than a tanh. It pays where
    XLA fuses the pieces.
    """
    if not rational:
        return keys, queries
    # exp(160) would be infinite. Beyond +-40 one of the two decides alone, unless the
    # other is nearly its opposite: no trained network comes near such numbers.
    return [tf.exp(2 * tf.clip_by_value(x, -40.0, 40.0)) for x in (keys, queries)]


def _tanh(keys, queries, factors, rational):
    if rational:
        return 1 - 2 / (1 + keys * queries)
    return tf.tanh((keys if factors is None else keys * factors) + queries)


_compiled = functools.partial(
    tf.function, jit_compile=True, reduce_retracing=True, autograph=False
)
_scores_jit = _compiled(_scores)
_gradients_jit = _compiled(_gradients)
