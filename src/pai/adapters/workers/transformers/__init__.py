"""A text engine on PyTorch for the families of models that Transformers knows: weights from safetensors, an extra of the installation."""
