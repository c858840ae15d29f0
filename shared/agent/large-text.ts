/** Large digits and letters of approval codes for a text screen, five lines high. Pure. */

/** Five rows of each character; `#` is drawn. */
const shapes: Readonly<Record<string, string>> = {
  "0": " ### |#  ##|# # #|##  #| ### ",
  "1": "  #  | ##  |  #  |  #  | ### ",
  "2": "#### |    #| ### |#    |#####",
  "3": "#### |    #| ### |    #|#### ",
  "4": "#   #|#   #|#####|    #|    #",
  "5": "#####|#    |#### |    #|#### ",
  "6": " ### |#    |#### |#   #| ### ",
  "7": "#####|   # |  #  | #   | #   ",
  "8": " ### |#   #| ### |#   #| ### ",
  "9": " ### |#   #| ####|    #| ### ",
  A: " ### |#   #|#####|#   #|#   #",
  B: "#### |#   #|#### |#   #|#### ",
  C: " ####|#    |#    |#    | ####",
  D: "#### |#   #|#   #|#   #|#### ",
  E: "#####|#    |###  |#    |#####",
  F: "#####|#    |###  |#    |#    ",
  G: " ####|#    |#  ##|#   #| ####",
  H: "#   #|#   #|#####|#   #|#   #",
  J: "    #|    #|    #|#   #| ### ",
  K: "#  # |# #  |##   |# #  |#  ##",
  M: "#   #|## ##|# # #|#   #|#   #",
  N: "#   #|##  #|# # #|#  ##|#   #",
  P: "#### |#   #|#### |#    |#    ",
  Q: " ### |#   #|# # #|#  # | ## #",
  R: "#### |#   #|#### |#  # |#   #",
  S: " ####|#    | ### |    #|#### ",
  T: "#####|  #  |  #  |  #  |  #  ",
  V: "#   #|#   #|#   #| # # |  #  ",
  W: "#   #|#   #|# # #|## ##|#   #",
  X: "#   #| # # |  #  | # # |#   #",
  Y: "#   #| # # |  #  |  #  |  #  ",
  Z: "#####|   # |  #  | #   |#####",
  "-": "     |     | ### |     |     ",
};
const rows = 5;

/** Returns the lines of a text; a character without a shape is left out. */
export function largeText(text: string): string[] {
  const drawn = [...text].flatMap((one) => (shapes[one] === undefined ? [] : [shapes[one].split("|")]));
  return Array.from({ length: rows }, (_, row) => `  ${drawn.map((one) => one[row]).join("  ")}`.trimEnd());
}
