// Drawn clips to try Teach with: two motions, two performances of each to teach and one to ask about.

const sample = (motion, number) => ({
  name: `${motion} ${number}`,
  url: `/web/samples/${motion}_${number}.mp4`,
  poster: `/web/samples/${motion}_${number}.jpg`,
});

export const TAUGHT = ["falling", "bouncing"].map((label) => ({
  label,
  clips: [sample(label, 1), sample(label, 2)],
}));
export const ASKED = TAUGHT.map(({ label }) => sample(label, 3));
