"""How much of what was said can be understood: what was heard beside what was said.

    intelligible.py SAID.wav HEARD.raw [SAID.wav HEARD.raw]...

SAID is 16 kHz mono and was spoken over and over, HEARD is 16-bit little-endian at 16 kHz and begins anywhere in it.
Prints for each pair {"stoi": .., "estoi": .., "pesq": .., "missed": .., "windows": ..}:

stoi    Short-time objective intelligibility (Taal et al. 2011; pystoi), 0 to 1: the mean over windows of a second of
        what was *said*, each where it fits best in what was heard. A word that never came counts as one that was
        not understood, however well the rest sounds.
estoi   The same, extended (Jensen and Taal 2016): stricter with sound that comes and goes, as behind losses.
pesq    ITU-T P.862.2 wideband (package pesq), 1 to 4.6: how it sounds, not whether it is understood.
missed  The share of those windows with a STOI below 0.5: a second of speech that is lost.

What these figures are not. STOI was made for noise and checked with listeners of whole sentences: about 0.6 is half
of the words, above 0.75 nearly all. It looks at bands up to 4.3 kHz only, does not know which word mattered, and takes
other people's speech for noise. A codec of 6 kbit/s scores high, for what it throws away is between those bands;
so compare cells with each other and with what the codec alone does (`test_intelligible.py` prints that). PESQ was
made for telephone codecs and is harsh on time stretched by a jitter buffer, which nobody hears: below 2 it says little
about a packet link. Neither sees the delay. Windows are laid where they fit
within half a second of their neighbours, or where they surely are within four, so neither a buffer's stretching nor a
backlog that it gives up costs more than the words that are gone.
"""

import json
import sys
import warnings
import wave

import numpy as np
from pesq import PesqError, pesq
from pystoi import stoi
from scipy.signal import correlate, resample_poly

RATE = 16_000
# what STOI works at
STOI_RATE = 10_000
WINDOW = RATE
HOP = RATE // 2
# what a jitter buffer moves between two windows
DRIFT = RATE // 2
# what it moves when it gives up a backlog
JUMP = 4 * RATE
# a likeness by which a window is taken for found near its neighbour, and far from it
SLIGHTLY, SURELY = 0.3, 0.6
# below this share of the loudest window's energy nobody speaks: 26 dB
PAUSE = 0.0025
LOST = 0.5
NOTHING = {"stoi": 0.0, "estoi": 0.0, "pesq": 1.0, "missed": 1.0, "windows": 0}


def likeness(pattern, within):
    """The normalised correlation of `pattern` with each place of `within`, -1 to 1."""
    pattern = pattern - pattern.mean()
    own = np.sqrt(np.sum(pattern**2))
    sums = np.concatenate([[0.0], np.cumsum(within)])
    squares = np.concatenate([[0.0], np.cumsum(within**2)])
    size = len(pattern)
    energy = squares[size:] - squares[:-size] - (sums[size:] - sums[:-size]) ** 2 / size
    scale = own * np.sqrt(np.maximum(energy, 0.0))
    # what is too soft to be speech is like nothing
    scale[scale < own * 30 * np.sqrt(size)] = np.inf
    if own == 0.0:
        return np.zeros(len(within) - size + 1)
    return correlate(within, pattern, mode="valid", method="fft") / scale


def begin(said, heard):
    """Where in the endless repetition of `said` `heard` begins: what most pieces of it agree upon."""
    # a quarter of the samples is enough to know a sentence by
    said, heard = resample_poly(said, 1, 4), resample_poly(heard, 1, 4)
    window, hop, reach = WINDOW // 4, HOP // 4, DRIFT // 8
    endless = np.concatenate([said, said[:window]])
    votes = np.zeros(len(said))
    for at in range(0, len(heard) - window + 1, hop):
        like = likeness(heard[at : at + window], endless)[: len(said)]
        best = int(np.argmax(like))
        if like[best] > SLIGHTLY:
            votes[(best - at) % len(said)] += like[best]
    if not votes.any():
        return None
    # the place with most votes around it, and the middle of those
    around = np.convolve(np.concatenate([votes, votes[: reach - 1]]), np.ones(reach), mode="valid")
    edge = int(np.argmax(around))
    places = np.arange(reach) + edge
    return int(np.average(places, weights=votes[places % len(said)])) * 4 % (len(said) * 4)


def laid(said, heard, start):
    """Pairs of what was said in a window and what was heard there, for windows in which somebody spoke."""
    endless = np.tile(said, len(heard) // len(said) + 2)[start : start + len(heard)]
    energies = [np.mean(endless[at : at + WINDOW] ** 2) for at in range(0, len(endless) - WINDOW + 1, HOP)]
    late = 0
    for number, energy in enumerate(energies):
        at = number * HOP
        window = endless[at : at + WINDOW]
        if energy < PAUSE * max(energies) or not 0 <= at + late <= len(heard) - WINDOW:
            continue
        for reach, surely in ((DRIFT, SLIGHTLY), (JUMP, SURELY)):
            low = max(0, at + late - reach)
            around = heard[low : at + late + WINDOW + reach]
            like = likeness(window, around)
            best = int(np.argmax(like))
            if like[best] > surely:
                late = low + best - at
                break
        yield window, heard[at + late : at + late + WINDOW]


def understood(said, heard, extended):
    with warnings.catch_warnings():
        # a window with too few loud frames
        warnings.simplefilter("ignore")
        return max(0.0, float(stoi(said, heard, STOI_RATE, extended=extended)))


def quality(said, heard, start):
    endless = np.tile(said, len(heard) // len(said) + 2)[start : start + len(heard)]
    try:
        return float(pesq(RATE, endless, heard, "wb"))
    except PesqError:
        return 1.0


def score(said, heard):
    """Both as arrays of samples at `RATE`, in the units of 16 bits."""
    if len(heard) < 2 * WINDOW or np.abs(heard).max() < 50:
        return NOTHING
    start = begin(said, heard)
    if start is None:
        return NOTHING
    pairs = list(laid(said, heard, start))
    if not pairs:
        return NOTHING
    # nothing at all in a window makes STOI divide by nothing
    rng = np.random.default_rng(1)
    pairs = [(one, other + rng.normal(0.0, 1.0, len(other))) for one, other in pairs]
    pairs = [tuple(resample_poly(window, STOI_RATE, RATE) for window in pair) for pair in pairs]
    plain = [understood(one, other, False) for one, other in pairs]
    extended = [understood(one, other, True) for one, other in pairs]
    return {
        "stoi": float(np.mean(plain)),
        "estoi": float(np.mean(extended)),
        "pesq": quality(said, heard, start),
        "missed": float(np.mean(np.array(plain) < LOST)),
        "windows": len(pairs),
    }


def read(path):
    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (RATE, 1, 2):
            raise ValueError(f"{path}: not 16 bits mono at {RATE} Hz")
        return np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(float)


if __name__ == "__main__":
    for said_path, heard_path in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        print(json.dumps(score(read(said_path), np.fromfile(heard_path, "<i2").astype(float))))
