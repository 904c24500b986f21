"""The enhancer: better prompts from a language model, without losing what was asked."""
