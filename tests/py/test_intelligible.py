"""What is known to be bad is judged to be bad, and the worse the worse.

    test_intelligible.py SAID.wav

Degrades sentences in known ways and prints what the judge says of each, then fails where it is wrong.
Needs ffmpeg with libopus.
"""

import subprocess
import sys
import unittest

import numpy as np

from intelligible import RATE, read, score

FRAME = 60 * RATE // 1000


class Judged(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.said = read(cls.path)
        # eleven seconds from somewhere in the middle, as a page begins to record somewhere
        cls.clean = cls.said[5 * RATE : 16 * RATE]
        cls.chance = np.random.default_rng(7)

    def judge(self, name, heard):
        scores = score(self.said, heard)
        print(f"{name}: " + ", ".join(f"{key} {value:.2f}" for key, value in scores.items()))
        return scores

    def falls(self, scores, key="stoi"):
        figures = [one[key] for one in scores]
        self.assertEqual(figures, sorted(figures, reverse=True))
        self.assertGreater(figures[0], figures[-1])

    def gaps(self, sound, share):
        sound = sound.copy()
        for at in range(0, len(sound) - FRAME, FRAME):
            if self.chance.random() < share:
                sound[at : at + FRAME] = 0
        return sound

    def opus(self, kbps):
        codec = ["-c:a", "libopus", "-b:a", f"{kbps}k", "-application", "voip", "-frame_duration", "60", "-f", "ogg"]
        raw = ["-f", "s16le", "-ar", str(RATE), "-ac", "1"]
        ffmpeg = ["ffmpeg", "-loglevel", "error"]
        sound = self.clean.astype("<i2").tobytes()
        coded = subprocess.run([*ffmpeg, *raw, "-i", "-", *codec, "-"], input=sound, capture_output=True, check=True)
        again = subprocess.run([*ffmpeg, "-i", "-", *raw, "-"], input=coded.stdout, capture_output=True, check=True)
        return np.frombuffer(again.stdout, "<i2").astype(float)

    def test_what_is_clean_is_understood(self):
        scores = self.judge("clean", self.clean)
        self.assertGreater(scores["stoi"], 0.99)
        self.assertGreater(scores["estoi"], 0.99)
        self.assertGreater(scores["pesq"], 4.5)
        self.assertEqual(scores["missed"], 0.0)

    def test_noise(self):
        loud = np.sqrt(np.mean(self.clean**2))
        noise = self.chance.normal(0.0, loud, len(self.clean))
        levels = {snr: self.clean + noise * 10 ** (-snr / 20) for snr in (20, 10, 5, 0, -5, -10)}
        scores = [self.judge(f"noise, {snr} dB", heard) for snr, heard in levels.items()]
        self.falls(scores)
        self.falls(scores, "estoi")

    def test_opus(self):
        scores = [self.judge(f"Opus, {kbps} kbit/s", self.opus(kbps)) for kbps in (24, 12, 8, 6)]
        self.falls(scores)
        self.falls(scores, "pesq")
        self.assertGreater(scores[-1]["stoi"], 0.75)

    def test_lost_frames(self):
        scores = [self.judge(f"{share:.0%} of frames lost", self.gaps(self.clean, share)) for share in (0, 0.05, 0.2, 0.5)]
        self.falls(scores)
        self.assertLess(scores[-1]["stoi"], 0.7)

    def test_words_that_never_came(self):
        at = 4 * RATE
        dead = self.clean.copy()
        dead[at : at + 3 * RATE] = 0
        dead = self.judge("three seconds of silence", dead)
        skipped = np.concatenate([self.clean[:at], self.clean[at + 3 * RATE :]])
        skipped = self.judge("three seconds skipped", skipped)
        self.assertLess(dead["stoi"], 0.85)
        self.assertLess(skipped["stoi"], 0.85)

    def test_a_stretched_buffer_costs_little(self):
        at, more = 4 * RATE, np.zeros(RATE // 5)
        late = np.concatenate([self.clean[:at], more, self.clean[at:]])
        self.assertGreater(self.judge("0.2 s late from the middle on", late)["stoi"], 0.9)

    def test_where_it_begins_makes_no_difference(self):
        for begin in (0, 11, 20):
            heard = np.tile(self.said, 2)[begin * RATE : (begin + 9) * RATE]
            self.assertGreater(self.judge(f"from second {begin} on", heard)["stoi"], 0.99)

    def test_nothing_of_it(self):
        backwards = self.judge("backwards", self.clean[::-1])
        self.assertLess(backwards["stoi"], 0.35)
        self.assertEqual(backwards["missed"], 1.0)
        self.assertEqual(self.judge("silence", self.clean * 0)["stoi"], 0.0)
        self.assertEqual(self.judge("noise alone", self.chance.normal(0, 900, 11 * RATE))["stoi"], 0.0)


if __name__ == "__main__":
    Judged.path = sys.argv.pop()
    unittest.main()
