/** Names that a model may have. */
export const HOSTILE = [
  `</title><script>alert("1")</script>`,
  `a&amp;b "quoted" 'single' --> ]]>`,
  "重み.层\u{1f9e0}",
  "\u202eright\u0007to\ud800left\n",
];
