"""What PAI sees and hears: text in pictures, words in sound, and what pictures show."""
