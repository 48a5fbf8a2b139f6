"""Fits a tagger to drawn scenes through Keras: their images, and what is on them."""

import keras
import tensorflow as tf

import annotator.datasets

scenes = annotator.datasets.load("shapes", "train", config="tiny")
images = scenes.encoded_images().map(lambda row, png: tf.io.decode_png(png, 3))
tags = tf.data.Dataset.from_tensor_slices(scenes.tags)  # bool, a column a word

backbone = annotator.build_backbone("vgg16", "block5_conv2")
flat = keras.layers.Reshape((-1, 512))(backbone.output["block5_conv2"])
regions = keras.Model(backbone.input, flat)
data = tf.data.Dataset.zip(images, tags).batch(8)
data = data.map(lambda images, tags: (regions(images), tags)).cache()

tagger = annotator.Tagger(scenes.words, components=64, codebook=8)
tagger.fit(data)
tagger.save("tagger.keras")
print(tagger.predict(data).shape, tagger.tags(data, top_k=4)[0])
