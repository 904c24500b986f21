"""gRPC: the seed service `text2image.Text2ImageService` over the same use cases as HTTP."""
