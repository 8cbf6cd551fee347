"""How vLLM runs a tiny model on a CPU. Chunked prefill with a seed for each request ends its CPU engine."""

ENGINE_ARGS = {
    "dtype": "bfloat16",
    "enforce_eager": True,
    "block_size": 32,
    "enable_chunked_prefill": False,
    "max_num_batched_tokens": 8192,
}
