"""Fits a captioner to drawn scenes through Keras: their images, five captions each."""

import keras
import tensorflow as tf

import annotator.datasets
from annotator.captioner import StackedDecoder

scenes = annotator.datasets.load("shapes", "train", config="tiny")
images = scenes.encoded_images().map(lambda row, png: tf.io.decode_png(png, 3))
captions = tf.data.Dataset.from_tensor_slices(tf.ragged.constant(scenes.captions))

backbone = annotator.build_backbone("vgg16", "block5_conv3")
flat = keras.layers.Reshape((-1, 512))(backbone.output["block5_conv3"])
regions = keras.Model(backbone.input, flat)
data = tf.data.Dataset.zip(images, captions).batch(8)
data = data.map(lambda images, captions: (regions(images), captions)).cache()

words = annotator.Vocabulary.fit(c for captions in scenes.captions for c in captions)
decoder = StackedDecoder(len(words), layers=2, units=64, jit_compile=False)
captioner = annotator.Captioner(words, decoder)
captioner.adapt(data)  # the mean and deviation of the channels
captioner.compile(keras.optimizers.AdamW(0.01, global_clipnorm=5.0))
captioner.fit(data, epochs=20)
captioner.save("captioner.keras")
print(captioner.predict(data.take(1))["captions"])
