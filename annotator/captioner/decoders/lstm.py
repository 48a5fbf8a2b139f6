"""An LSTM layer that runs over whole sequences or word by word."""

import typing

import keras
import tensorflow as tf

from annotator.keras_support.gradients import custom_gradient


@keras.saving.register_keras_serializable(package="annotator")
class LSTM(keras.layers.Layer):
    """A `keras.layers.LSTMCell` with a fast path over known sequences.

    Weights and results are those of `LSTMCell`. Over a sequence the products with
    the inputs are one matrix product for all steps, and so is the gradient of the
    recurrent weights; only what depends on the step before runs step by step. The
    cell and the gates are float32 under every dtype policy.

    Args:
        units: H, the width of the state.
        **kwargs: Of `keras.layers.Layer`.

    Call arguments:
        inputs: `[N, T, D]`.
        state: The pair of hidden state `[N, H]` and cell, float32 `[N, H]`.

    Output shape:
        Hidden states `[N, T, H]`.

    Reference: Hochreiter and Schmidhuber, Long short-term memory, 1997.
    """

    def __init__(self, units: int, **kwargs: typing.Any) -> None:
        # What must stay float32 is passed through; the rest is cast where used.
        super().__init__(autocast=False, **kwargs)
        self.units = units
        self.cell = keras.layers.LSTMCell(units, dtype=self.dtype_policy, name="cell")

    def build(self, input_shape: tuple) -> None:
        self.cell.build((None, input_shape[-1]))
        self.built = True

    def call(self, inputs: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        inputs = tf.transpose(tf.cast(inputs, self.compute_dtype), [1, 0, 2])
        hidden, cell = state
        outputs = _run(
            self._project(inputs),
            tf.cast(self.cell.recurrent_kernel, self.compute_dtype),
            tf.cast(hidden, self.compute_dtype),
            tf.cast(cell, tf.float32),
        )
        return tf.transpose(outputs, [1, 0, 2])

    def step(
        self, inputs: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """One step.

        Args:
            inputs: `[N, D]`.
            state: The pair of hidden state `[N, H]` and cell, float32 `[N, H]`.

        Returns:
            The new state, of which the hidden state is the output.
        """
        hidden, cell = state
        kernel = tf.cast(self.cell.recurrent_kernel, self.compute_dtype)
        projected = self._project(tf.cast(inputs, self.compute_dtype))
        gates = _gates(projected, hidden @ kernel)
        cell, hidden = _advance(gates, cell)
        return tf.cast(hidden, self.compute_dtype), cell

    def _project(self, inputs):
        kernel = tf.cast(self.cell.kernel, self.compute_dtype)
        flat = tf.reshape(inputs, [-1, kernel.shape[0]])
        projected = flat @ kernel + tf.cast(self.cell.bias, self.compute_dtype)
        shape = tf.concat([tf.shape(inputs)[:-1], [4 * self.units]], 0)
        return tf.reshape(projected, shape)

    def get_config(self) -> dict:
        return {**super().get_config(), "units": self.units}


@custom_gradient
def _run(projected, kernel, hidden, cell):
    """All steps: projected inputs `[T, N, 4H]` to hidden states `[T, N, H]`."""
    steps, dtype = tf.shape(projected)[0], kernel.dtype
    first_hidden, first_cell = hidden, cell
    inputs = tf.TensorArray(dtype, steps).unstack(projected)

    def forward(t, hidden, cell, all_hidden, all_cells, all_gates):
        gates = _gates(inputs.read(t), hidden @ kernel)
        cell, hidden = _advance(gates, cell)
        hidden = tf.cast(hidden, dtype)
        return (
            t + 1,
            hidden,
            cell,
            all_hidden.write(t, hidden),
            all_cells.write(t, cell),
            all_gates.write(t, tf.concat(gates, 1)),
        )

    arrays = [tf.TensorArray(d, steps) for d in (dtype, tf.float32, tf.float32)]
    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < steps, forward, [0, hidden, cell, *arrays]
    )
    all_hidden, all_cells, all_gates = (array.stack() for array in arrays)

    def gradient(grad):
        grads = tf.TensorArray(dtype, steps).unstack(grad)
        gates = tf.TensorArray(tf.float32, steps).unstack(all_gates)
        before = tf.concat([first_cell[None], all_cells], 0)  # of step t: row t
        cells = tf.TensorArray(tf.float32, steps + 1, clear_after_read=False)
        cells = cells.unstack(before)

        def backward(t, grad_hidden, grad_cell, all_grads):
            i, f, c, o = tf.split(gates.read(t), 4, axis=1)
            grad_hidden += tf.cast(grads.read(t), tf.float32)
            squashed = tf.tanh(cells.read(t + 1))
            grad_cell += grad_hidden * o * (1 - tf.square(squashed))
            grad_gates = tf.concat(
                [
                    grad_cell * c * i * (1 - i),
                    grad_cell * cells.read(t) * f * (1 - f),
                    grad_cell * i * (1 - tf.square(c)),
                    grad_hidden * squashed * o * (1 - o),
                ],
                axis=1,
            )
            grad_gates = tf.cast(grad_gates, dtype)
            grad_hidden = tf.matmul(grad_gates, kernel, transpose_b=True)
            return (
                t - 1,
                tf.cast(grad_hidden, tf.float32),
                grad_cell * f,
                all_grads.write(t, grad_gates),
            )

        zeros = tf.zeros_like(first_cell)
        _, grad_hidden, grad_cell, grad_projected = tf.while_loop(
            lambda t, *_: t >= 0,
            backward,
            [steps - 1, zeros, zeros, tf.TensorArray(dtype, steps)],
        )
        grad_projected = grad_projected.stack()
        before = tf.concat([first_hidden[None], all_hidden[:-1]], 0)
        grad_kernel = tf.matmul(
            tf.reshape(before, [-1, kernel.shape[0]]),
            tf.reshape(grad_projected, [-1, kernel.shape[1]]),
            transpose_a=True,
        )
        return grad_projected, grad_kernel, tf.cast(grad_hidden, dtype), grad_cell

    return all_hidden, gradient


def _gates(projected_inputs, projected_hidden):
    """The input, forget, candidate and output gates in float32, each `[N, H]`."""
    sums = tf.cast(projected_inputs, tf.float32) + tf.cast(projected_hidden, tf.float32)
    i, f, c, o = tf.split(sums, 4, axis=1)
    return tf.sigmoid(i), tf.sigmoid(f), tf.tanh(c), tf.sigmoid(o)


def _advance(gates, cell):
    i, f, c, o = gates
    cell = f * cell + i * c
    return cell, o * tf.tanh(cell)
