"""A web server for exported models, with the REST form of TensorFlow Serving.

    python -m annotator.serve --model=DIR --port=8501

It needs the extra `serve`.
"""
