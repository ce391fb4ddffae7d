"""The whole DTLN denoiser on the delta machines: both networks, real noisy speech, SI-SDR against the clean recordings.

python benchmarks/denoiser.py [--theta 0.03]...
"""

import argparse

import numpy as np
from real_cases import SHARED, samples, windows

import deltawave as dw
from deltawave.machines.deltarnn import MACHINES
from deltawave.network import FloatReference, as_streams

SIZE, HOP = 512, 128
FOLDER = SHARED / "data" / "vctk-noisy"


def main() -> None:
    """Print one line for the noisy input, the float networks, and every machine and threshold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--theta", action="append", type=float, help="thresholds (default 0, 0.03125, 0.125)")
    thetas = parser.parse_args().theta or [0.0, 1 / 32, 1 / 8]
    names = sorted(path.name for path in (FOLDER / "noisy").glob("*.wav"))
    clean, noisy = ([samples(FOLDER / kind / name) for name in names] for kind in ("clean", "noisy"))
    networks = [dw.load(SHARED / "models" / "DTLN" / f"model_{number}.onnx") for number in (1, 2)]
    print(f"{'noisy input':45} SI-SDR {mean_si_sdr(noisy, clean):6.2f} dB")
    references = [float_runner(network) for network in networks]
    enhanced = [denoise(recording, *references) for recording in noisy]
    print(f"{'float network':45} SI-SDR {mean_si_sdr(enhanced, clean):6.2f} dB")
    calibration = calibrate(noisy[0], references[0])
    for machine in MACHINES:
        for theta in thetas:
            report(
                machine.with_options({"theta_input": theta, "theta_hidden": theta}),
                networks,
                calibration,
                noisy,
                clean,
            )


def report(machine, networks, calibration, noisy, clean) -> None:
    """Denoise on one machine and print its line."""
    programs = [dw.compile(n, machine, calibration=c) for n, c in zip(networks, calibration, strict=True)]
    cycles = []
    enhanced = [denoise(recording, *(machine_runner(p, cycles) for p in programs)) for recording in noisy]
    frame_us = sum(cycles) / machine.clock_hz / (len(cycles) // 2) * 1e6
    print(
        f"{machine.name:20} theta {machine.theta_hidden:<18.5g} SI-SDR {mean_si_sdr(enhanced, clean):6.2f} dB, "
        f"{frame_us:.1f} us of the 8,000 us a frame has",
        flush=True,
    )


def denoise(recording: np.ndarray, mask, signal) -> np.ndarray:
    """Overlap-add of the two networks' frames; `mask` and `signal` run a network on [frames, size]."""
    frames = windows(np.concatenate([recording, np.zeros(SIZE, np.float32)]), SIZE, HOP, SIZE - HOP)
    spectrum = np.fft.rfft(frames)
    masked = np.fft.irfft(spectrum * mask(np.abs(spectrum).astype(np.float32)))
    out = np.zeros(len(recording) + 3 * SIZE)
    for number, frame in enumerate(signal(masked.astype(np.float32))):
        out[number * HOP : number * HOP + SIZE] += frame
    return out[SIZE - HOP : SIZE - HOP + len(recording)]


def calibrate(recording: np.ndarray, mask) -> tuple[np.ndarray, np.ndarray]:
    """What both networks see of one recording."""
    spectrum = np.fft.rfft(windows(recording, SIZE, HOP, SIZE - HOP))
    magnitude = np.abs(spectrum).astype(np.float32)
    return magnitude, np.fft.irfft(spectrum * mask(magnitude)).astype(np.float32)


def float_runner(network):
    """Runs a stream of frames in ONNX Runtime, [frames, size] in and out."""
    reference = FloatReference(network)

    def run(frames: np.ndarray) -> np.ndarray:
        (stream,) = as_streams(network, frames)
        return np.stack([next(iter(out.values())).ravel() for out in reference.run(stream)])

    return run


def machine_runner(program, cycles: list[list[int]]):
    """Runs a stream of frames on a machine; appends the cycles of every frame."""

    def run(frames: np.ndarray) -> np.ndarray:
        done = program.run(frames)
        cycles.append(done.timeline.cycles / len(frames))
        return next(iter(done.outputs[0].values())).reshape(len(frames), -1)

    return run


def mean_si_sdr(estimates, references) -> float:
    """Mean scale-invariant signal-to-distortion ratio in dB."""
    ratios = []
    for estimate, clean in zip(estimates, references, strict=True):
        target = clean * (estimate @ clean) / (clean @ clean)
        ratios.append(10 * np.log10((target @ target) / ((estimate - target) @ (estimate - target))))
    return float(np.mean(ratios))


if __name__ == "__main__":
    main()
