// 83.25 s as "1:23", or as "1:23.3" with one digit behind the second; hours where there are any.
export function clock(seconds, digits = 0) {
  const unit = 10 ** digits;
  const whole = Math.round(Math.max(seconds, 0) * unit);
  const left = (whole % (60 * unit)) / unit;
  const minutes = Math.floor(whole / (60 * unit));
  const tail = left.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}
