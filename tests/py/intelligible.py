"""How much of what was said can be understood: what was heard beside what was said.

    intelligible.py SAID.wav HEARD.raw

SAID is 16 kHz mono and was spoken over and over, HEARD is 16-bit little-endian at 16 kHz and begins anywhere.
Prints {"stoi": ..., "pesq": ...}: STOI (Taal et al. 2011, package pystoi) from 0 to 1, the mean over pieces of two
seconds; PESQ (ITU-T P.862.2 wideband, package pesq) from 1 to 4.6.

A jitter buffer stretches and shrinks time, so each piece is laid over the original by itself. STOI was made for noise:
it takes whole lost words for what they are only in so far as a piece has them. PESQ forgives no lost words.
"""

import json
import sys
import wave

import numpy as np
from pesq import PesqError, pesq
from pystoi import stoi
from scipy.signal import correlate

RATE = 16_000
PIECE = 2 * RATE
# a buffer does not move more between two pieces
DRIFT = RATE // 2


def lag(said, heard):
    """Where in `said` `heard` fits best."""
    return int(np.argmax(correlate(said, heard, mode="valid", method="fft")))


def main(said_path, heard_path):
    with wave.open(said_path) as said_file:
        assert said_file.getframerate() == RATE and said_file.getnchannels() == 1
        said = np.frombuffer(said_file.readframes(said_file.getnframes()), np.int16).astype(float)
    heard = np.fromfile(heard_path, np.int16).astype(float)
    if len(heard) < PIECE or np.abs(heard).max() < 50:
        return {"stoi": 0.0, "pesq": 1.0}
    said = np.tile(said, len(heard) // len(said) + 3)
    start = lag(said[: len(said) - len(heard)] if len(said) > 2 * len(heard) else said, heard)
    scores, laid_said, laid_heard = [], [], []
    for at in range(0, len(heard) - PIECE + 1, PIECE):
        piece = heard[at : at + PIECE]
        low = max(0, start + at - DRIFT)
        around = said[low : start + at + PIECE + DRIFT]
        if np.abs(piece).max() < 50:
            # nothing heard: what was said there is lost
            original = said[start + at : start + at + PIECE]
            scores.append(0.0 if np.abs(original).max() > 500 else None)
        else:
            here = low + lag(around, piece)
            original = said[here : here + PIECE]
            scores.append(float(stoi(original, piece, RATE)))
        laid_said.append(original)
        laid_heard.append(piece)
    scores = [score for score in scores if score is not None]
    try:
        quality = float(pesq(RATE, np.concatenate(laid_said), np.concatenate(laid_heard), "wb"))
    except PesqError:
        quality = 1.0
    return {"stoi": float(np.mean(scores)) if scores else 0.0, "pesq": quality}


print(json.dumps(main(*sys.argv[1:])))
