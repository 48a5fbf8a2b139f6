"""An LSTM layer that runs over whole sequences or word by word."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="annotator")
class LSTM(keras.layers.Layer):
    """A `keras.layers.LSTMCell` with a fast path over known sequences.

    Weights and results are those of `LSTMCell`. Over a sequence the products with
    the inputs are one matrix product for all steps, and so is the gradient of the
    recurrent weights; only what depends on the step before runs step by step. The
    memory cell and the gates are float32 under every dtype policy.

    Args:
        units: H, the width of the state.

    Call arguments:
        inputs: `[N, T, D]`.
        state: the pair of hidden state `[N, H]` and memory cell `[N, H]`.

    Output shape:
        Hidden states `[N, T, H]`.

    Reference: Hochreiter and Schmidhuber, Long short-term memory, 1997.
    """

    def __init__(self, units, **kwargs):
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.units = units
        self.cell = keras.layers.LSTMCell(units, dtype=self.dtype_policy, name="cell")

    def build(self, input_shape):
        self.cell.build((None, input_shape[-1]))
        self.built = True

    def call(self, inputs, state):
        inputs = tf.transpose(tf.cast(inputs, self.compute_dtype), [1, 0, 2])
        hidden, memory = state
        outputs = _run(
            self._project(inputs),
            tf.cast(self.cell.recurrent_kernel, self.compute_dtype),
            tf.cast(hidden, self.compute_dtype),
            tf.cast(memory, tf.float32),
        )
        return tf.transpose(outputs, [1, 0, 2])

    def step(self, inputs, state):
        """One step: inputs `[N, D]` to the new state, whose first is the output."""
        hidden, memory = state
        kernel = tf.cast(self.cell.recurrent_kernel, self.compute_dtype)
        projected = self._project(tf.cast(inputs, self.compute_dtype))
        gates = _gates(projected, hidden @ kernel)
        memory, hidden = _advance(gates, memory)
        return tf.cast(hidden, self.compute_dtype), memory

    def _project(self, inputs):
        kernel = tf.cast(self.cell.kernel, self.compute_dtype)
        flat = tf.reshape(inputs, [-1, kernel.shape[0]])
        projected = flat @ kernel + tf.cast(self.cell.bias, self.compute_dtype)
        shape = tf.concat([tf.shape(inputs)[:-1], [4 * self.units]], 0)
        return tf.reshape(projected, shape)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@tf.custom_gradient
def _run(projected, kernel, hidden, memory):
    """All steps: projected inputs `[T, N, 4H]` to hidden states `[T, N, H]`."""
    steps, dtype = tf.shape(projected)[0], kernel.dtype
    first_hidden, first_memory = hidden, memory
    inputs = tf.TensorArray(dtype, steps).unstack(projected)

    def forward(t, hidden, memory, all_hidden, all_memory, all_gates):
        gates = _gates(inputs.read(t), hidden @ kernel)
        memory, hidden = _advance(gates, memory)
        hidden = tf.cast(hidden, dtype)
        return (
            t + 1,
            hidden,
            memory,
            all_hidden.write(t, hidden),
            all_memory.write(t, memory),
            all_gates.write(t, tf.concat(gates, 1)),
        )

    arrays = [tf.TensorArray(d, steps) for d in (dtype, tf.float32, tf.float32)]
    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < steps, forward, [0, hidden, memory, *arrays]
    )
    all_hidden, all_memory, all_gates = (array.stack() for array in arrays)

    def gradient(grad):
        grads = tf.TensorArray(dtype, steps).unstack(grad)
        gates = tf.TensorArray(tf.float32, steps).unstack(all_gates)
        before = tf.concat([first_memory[None], all_memory], 0)  # of step t: row t
        memories = tf.TensorArray(tf.float32, steps + 1, clear_after_read=False)
        memories = memories.unstack(before)

        def backward(t, grad_hidden, grad_memory, all_grads):
            i, f, c, o = tf.split(gates.read(t), 4, axis=1)
            grad_hidden += tf.cast(grads.read(t), tf.float32)
            squashed = tf.tanh(memories.read(t + 1))
            grad_memory += grad_hidden * o * (1 - tf.square(squashed))
            grad_gates = tf.concat(
                [
                    grad_memory * c * i * (1 - i),
                    grad_memory * memories.read(t) * f * (1 - f),
                    grad_memory * i * (1 - tf.square(c)),
                    grad_hidden * squashed * o * (1 - o),
                ],
                axis=1,
            )
            grad_gates = tf.cast(grad_gates, dtype)
            grad_hidden = tf.matmul(grad_gates, kernel, transpose_b=True)
            return (
                t - 1,
                tf.cast(grad_hidden, tf.float32),
                grad_memory * f,
                all_grads.write(t, grad_gates),
            )

        nothing = tf.zeros_like(first_memory)
        _, grad_hidden, grad_memory, grad_projected = tf.while_loop(
            lambda t, *_: t >= 0,
            backward,
            [steps - 1, nothing, nothing, tf.TensorArray(dtype, steps)],
        )
        grad_projected = grad_projected.stack()
        before = tf.concat([first_hidden[None], all_hidden[:-1]], 0)
        grad_kernel = tf.matmul(
            tf.reshape(before, [-1, kernel.shape[0]]),
            tf.reshape(grad_projected, [-1, kernel.shape[1]]),
            transpose_a=True,
        )
        return grad_projected, grad_kernel, tf.cast(grad_hidden, dtype), grad_memory

    return all_hidden, gradient


def _gates(projected_inputs, projected_hidden):
    """The input, forget, candidate and output gates in float32, each `[N, H]`."""
    sums = tf.cast(projected_inputs, tf.float32) + tf.cast(projected_hidden, tf.float32)
    i, f, c, o = tf.split(sums, 4, axis=1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(c), tf.sigmoid(o)


def _advance(gates, memory):
    i, f, c, o = gates
    memory = f * memory + i * c
    return memory, o * tf.tanh(memory)
