"""Copies of a model in mid-stream: each reads streams of its own, in other processes, averages and other types."""

import copy
import multiprocessing
import pickle

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from elman import nn
from tolerances import close


class Inside(torch.nn.Module):
    """A user's model with a buffer of its own behind a stream."""

    def __init__(self, overlap=0):
        super().__init__()
        torch.manual_seed(0)
        self.stream = nn.Stateful(nn.Stack(3, [4, 4], "lstm"), overlap)
        self.norm = torch.nn.BatchNorm1d(4)

    def forward(self, chunk):
        output, _ = self.stream(chunk)
        return self.norm(output.flatten(0, 1)).unflatten(0, output.shape[:2])


def chunks(rank, count=3):
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(count, 5, 2, 3, generator=generator).unbind()


def read_on(rank, address, results):
    """One process of two: reads a chunk alone and the others under DistributedDataParallel."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=2)
    model = Inside(overlap=2)
    first, *others = chunks(rank)
    model(first)
    parallel = DistributedDataParallel(model)  # which broadcasts buffers, now and at every call
    for chunk in others:
        parallel(chunk).sum().backward()
    results.put((rank, {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch without torch.distributed")
def test_each_process_reads_its_own_streams(tmp_path):
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=read_on, args=(rank, tmp_path / "store", results)) for rank in range(2)]
    for process in processes:
        process.start()
    states = dict(results.get(timeout=120) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    for rank in range(2):
        alone = Inside(overlap=2)
        for chunk in chunks(rank):
            alone(chunk)
        carried = {name: tensor for name, tensor in alone.state_dict().items() if name.startswith("stream.state_")}
        assert len(carried) == 4
        for name, tensor in carried.items():
            close(torch.from_numpy(states[rank][name]), tensor)


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("buffers", [False, True])
@pytest.mark.parametrize("begun", [False, True], ids=["before the first chunk", "in mid-stream"])
def test_an_average_of_models_reads_streams_of_its_own(begun, buffers, overlap):
    model = Inside(overlap)
    first, second, third = chunks(0)
    if begun:
        model(first)
    averaged = AveragedModel(model, use_buffers=buffers)
    carried = {name: tensor.clone() for name, tensor in averaged.module.stream.state_dict().items()}
    weights = []
    for chunk in (second, third):
        model(chunk).square().sum().backward()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.sub_(0.1 * parameter.grad)
        weights.append(model.stream.layer.layers[0].weight_hh_l0.detach().clone())
        averaged.update_parameters(model)
    close(averaged.module.stream.layer.layers[0].weight_hh_l0, sum(weights) / 2)
    for name, tensor in averaged.module.stream.state_dict().items():
        if name in carried and not name.startswith("layer."):
            assert torch.equal(tensor, carried[name]), name
    averaged.module.stream.reset()
    assert averaged(first[:, :1]).isfinite().all()


def test_a_stream_goes_where_its_layer_goes():
    model = Inside(overlap=2)
    first, second, _ = chunks(0)
    model(first)
    model.double()
    stream = model.stream
    assert stream.state_0.dtype == stream.past.dtype == torch.float64 and stream.fresh.dtype == torch.bool
    twin = copy.deepcopy(model)
    assert torch.equal(model(second.double()), twin(second.double()))
    assert not list(stream.buffers())
    assert {"state_0", "state_3", "fresh", "past", "past_starts"} <= stream.state_dict().keys()


def test_what_is_carried_and_not_there_is_named():
    model = Inside()
    model(chunks(0)[0])
    saved = model.state_dict()
    saved["stream.state_of_mind"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match=r"Unexpected key\(s\) in state_dict: \"stream.state_of_mind\""):
        Inside().load_state_dict(saved)
    del saved["stream.state_of_mind"], saved["stream.layer.layers.0.weight_hh_l0"]
    with pytest.raises(RuntimeError, match=r"Missing key\(s\) in state_dict: \"stream.layer.layers.0.weight_hh_l0\""):
        Inside().load_state_dict(saved)
    Inside().load_state_dict(saved, strict=False)


def test_a_stream_pickled_by_an_earlier_version_goes_on():
    """Which kept in buffers what it carried."""
    model = Inside(overlap=2)
    first, second, _ = chunks(0)
    model(first)
    old = copy.deepcopy(model)
    for name in ("fresh", "read", "past", "past_starts", *(f"state_{number}" for number in range(4))):
        old.stream._buffers[name] = vars(old.stream).pop(name)
    assert torch.equal(pickle.loads(pickle.dumps(old))(second), model(second))
