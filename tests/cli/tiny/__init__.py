"""The smallest system that `easel up` can run: a gateway that says it is ready, a worker that does nothing."""
