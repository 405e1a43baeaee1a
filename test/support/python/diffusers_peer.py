# What Python's diffusers makes of a folder. Reads a JSON list of tasks from stdin, writes the list of their results.
import json
import sys

import safetensors.torch  # 0.27.2 forgets to import it before save_pretrained
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel

torch.set_num_threads(1)
torch.set_grad_enabled(False)


def baddbmm(_, a, b, *, beta, alpha):
    """What diffusers' attention asks of torch. Torch 1.13's own multiplies, for small matrices on a CPU, whatever lies in
    the result's fresh memory by the beta of 0: NaN wherever that happens to hold one."""
    assert beta == 0
    return alpha * torch.bmm(a, b)


torch.baddbmm = baddbmm


def network(task):
    return UNet2DModel.from_pretrained(task["folder"], subfolder="unet").eval()


def labels(task):
    return None if task["y"] is None else torch.tensor(task["y"])


def tensor(task, name):
    return torch.tensor(task[name], dtype=torch.float32).reshape(task["shape"])


def forward(task):
    t = torch.tensor(task["t"], dtype=torch.float32)
    return network(task)(tensor(task, "x"), t, class_labels=labels(task)).sample.flatten().tolist()


def alphas(task):
    return DDPMScheduler.from_pretrained(task["folder"], subfolder="scheduler").alphas_cumprod.tolist()


def config(task):
    return dict(DDPMScheduler.from_pretrained(task["folder"], subfolder="scheduler").config)


def ddim(task):
    """Every step of the process, eta 0, eps of the clipped x_0 as in the paper of the clipping (and in plume)."""
    unet = network(task)
    scheduler = DDIMScheduler.from_pretrained(task["folder"], subfolder="scheduler")
    scheduler.set_timesteps(scheduler.config.num_train_timesteps)
    x = tensor(task, "x")
    for t in scheduler.timesteps:
        output = unet(x, t, class_labels=labels(task)).sample
        x = scheduler.step(output, t, x, use_clipped_model_output=True).prev_sample
    return x.flatten().tolist()


def pipeline(task):
    """The shape of what DDPMPipeline draws in two steps."""
    pipe = DDPMPipeline.from_pretrained(task["folder"])
    pipe.set_progress_bar_config(disable=True)
    return list(pipe(batch_size=2, num_inference_steps=2, output_type="numpy").images.shape)


def make(task):
    """A folder as somebody else would write it."""
    torch.manual_seed(task["seed"])
    unet = UNet2DModel(**task["unet"])
    for parameter in unet.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    unet.save_pretrained(f"{task['folder']}/unet")
    DDPMScheduler(**task["scheduler"]).save_pretrained(f"{task['folder']}/scheduler")
    return sum(parameter.numel() for parameter in unet.parameters())


def autoencoder(task):
    vae = AutoencoderKL.from_pretrained(task["folder"], subfolder="vae").eval()
    x, z = (torch.tensor(task[name]["values"], dtype=torch.float32).reshape(task[name]["shape"]) for name in ("x", "z"))
    q = vae.encode(x).latent_dist
    answers = {"mean": q.mean, "logvar": q.logvar, "decoded": vae.decode(z).sample}
    return {name: answer.flatten().tolist() for name, answer in answers.items()}


TASKS = {each.__name__: each for each in (forward, alphas, config, ddim, pipeline, make, autoencoder)}
json.dump([TASKS[task["kind"]](task) for task in json.load(sys.stdin)], sys.stdout)
