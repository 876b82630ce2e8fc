"""Sentences with errors, written by hand, to be planted into correct captions (`planted.py`). Always two lists: one that was used while the
rules were written, and one that was written when they were finished; no rule was changed for the second.
"""

SENTENCES = {
    "boilerplate": ((
        "The image shows the region from close by.", "These frames depict one and the same scene.",
        "As an AI, it is not possible to say more.", "I cannot identify the person in the picture.",
        "In this video one follows the work from start to end.", "Frame 3 is the sharpest.", "I'm sorry, but the rest is unclear.",
        "Here is a description of the scene.", "We can see the tools at work.", "The provided frames do not reveal more.",
        "Based on the images, the work goes on as usual.", "In the first frame the hand is lower.",
        "Let me know if more detail is needed.", "The sequence of frames illustrates the motion.",
        "The scene captured here offers a glimpse of modern medicine.", "Overall, the imagery conveys a professional atmosphere.",
        "It's important to note that details may vary.", "Please consult a professional for an interpretation.",
        "Unfortunately, the resolution limits further description.", "As the frames progress, the tool advances.",
        "Throughout the frames, nothing else changes.", "No further information is provided in the images.",
        "I'm not able to read the rest.", "The image depicts a calm setting."), (
        "The viewer is invited to explore the procedure in detail.", "As requested, only visible content is described.",
        "Note: the audio was not considered.", "My analysis ends here.", "These pictures present a common task.",
        "Given the limited context, the purpose stays open.", "I notice a small scar.",
        "The description above covers all visible elements.", "The images appear to come from one room.", "I apologize for any gaps.")),
    "diagnosis": ((
        "The findings are diagnostic of a serious illness.", "The patient has a chronic disease of this organ.",
        "The lesion is malignant.", "The prognosis is poor.", "This should be treated without delay.",
        "The picture confirms the disease.", "Treatment is recommended.", "The patient is suffering from an infection.",
        "An operation is necessary.", "These changes are cancerous.", "This is a textbook example of advanced melanoma.",
        "She urgently needs a transplant.", "The tumor has spread to the nodes.", "The findings are compatible with acute ischemia.",
        "The outlook is grave.", "Chemotherapy was started.", "The patient has a severe infection of the wound.",
        "Surgery is indicated.", "A diagnosis of gout is made."), (
        "These signs point towards heart failure.", "He most likely suffers from gout.", "Urgent surgery would be the best choice.",
        "The condition is incurable.", "Stage two cancer is seen here.", "The wound is infected and needs antibiotics.",
        "The patient has a rare disorder.", "This confirms a tumour.")),
    "person": ((
        "The operator is Dr. Miller.", "Professor Lopez looks on.", "The name Mrs. Brown stands on the list.",
        "The date is 14/03/2019.", "MRN 5539201 is on the label.", "It was recorded on 2021-06-30.",
        "The study of 3 May 2020 is shown.", "A patient named Maria Gonzalez lies below.", "Date of birth: July 4, 1961.",
        "Accession number A7741 stands at the edge.", "A badge on the coat belongs to Katherine.",
        "The surgeon, Johan Eriksson, turns to the camera.", "Dr Okafor speaks.", "The sticker shows 12-08-1974.",
        "It is the room of Mr. Lindqvist.", "Patient no. 88213 is on the band.", "It was filmed on the 7th of October 2016.",
        "Thomas hands over the scissors."), (
        "Emma smiles at the end.", "A name tag says Rodriguez.", "It was filmed by J. Carter.", "The chart of Mr. Novak lies open.",
        "Born 1956-02-11.", "Prof. Dr. Schneider operates.", "Hospital ID 55201 is visible.", "It was recorded on 5.6.2020.",
        "The year is 1998.")),
    "numbers": ((
        "The opening measures 14 mm.", "About 250 ml of fluid were removed.", "The rate is 118 per minute.",
        "A dose of 40 mg was given.", "It is 3.5 cm long.", "The pressure reads 135.", "Roughly eleven millilitres run out.",
        "It spans 2.8cm from rim to rim.", "Its diameter is nearly 9 millimetres.", "Two units of blood hang on the stand.",
        "The saturation drops to 84.", "A 12-French catheter is passed.", "The heart beats a hundred and forty times a minute.",
        "It weighs three hundred grams.", "Gain is set to 55 dB.", "The needle is a 21G."), (
        "A 0.5 ml syringe is used.", "The mass is 4 by 3 cm.", "He is in his fifties.", "Thirty millimetres of the wire are inside.",
        "The ratio is 1:200.", "A pressure of 11 mmHg is held.", "At 37 degrees the sample is warmed.", "Six weeks have gone by.")),
    "quoted": ((
        'A label reads "Sterile field".', 'On the screen stands "Patient 4".', 'The words "Do not touch" can be seen.',
        "A sign says “Theatre two”.", 'The title "Basics of anatomy" is shown.', "The text ‘Normal variant’ stands below.",
        'A poster proclaims "Wash your hands".', "The screen displays the phrase 'Scan complete'.",
        "Printed on the box is “Keep cold”.", 'A banner with the words "Heart Week" hangs above.', "The subtitles say: breathe in.",
        "A label reading EXIT ONLY is stuck on it."), (
        "A tag reads 'Handle with care'.", '"Emergency exit" glows green above the door.', 'The whiteboard says "Round at nine".',
        "The box is marked FRAGILE.", "A ticker informs that beds are full.", "The writing on the wall is: keep quiet.")),
    "cut": ((
        "The video cuts to another view.", "Then the scene changes to a close-up.", "In the next scene the hands are gone.",
        "The clip transitions to a diagram.", "It then cuts to the surgeon's face.", "The footage switches to a second angle.",
        "After a cut the view is wider.", "The picture dissolves into a drawing.", "The next shot is darker.",
        "Moments later the viewer is shown a different room.", "The perspective abruptly changes to a frontal angle.",
        "A title card follows.", "We are then taken to the ward.", "The film continues in another location.",
        "Next, a close-up of the wound appears.", "The recording jumps to a later moment.", "Another shot presents the tray."), (
        "The clip then moves on to the recovery room.", "A second camera now shows the monitor.", "Suddenly the view is from above.",
        "The image fades into a chart.", "Cut to the waiting room.", "An intertitle announces the next step.",
        "Then another scene begins.", "It is followed by an interview.")),
}
CAMERA = {  # what is said of the camera, by what was measured; two lists as above
    "static": ((
        "The camera pans left across the scene.", "The camera zooms in on the middle.", "A slow tilt up of the camera follows.",
        "The camera glides to the right.", "The lens slowly zooms out.", "The viewpoint drifts upward.",
        "A gentle push-in brings the viewer closer.", "The camera follows the hand to the left.", "The frame slides to the right.",
        "It slowly zooms in.", "The camera is panned to the right.",), (
        "The camera drifts to the left.", "The camera moves closer.", "The camera tilts up.", "The shot pushes in on the hand.",
        "The operator pans right to the tray.", "A zoom-out ends the clip.",)),
    "moving": ((
        "The camera is static throughout.", "It is a fixed shot.", "The camera does not move at all.",
        "The camera remains perfectly still.", "The camera never leaves its place.", "It is filmed from a tripod without any motion.",
        "The framing is unchanged all through.", "The shot stays fixed.",), (
        "The camera is held completely still.", "A fixed camera records everything.", "There is no camera movement.",
        "The view never changes.",)),
    "pan right": ((
        "The camera pans left.", "The camera moves to the left.",), (
        "The camera turns left.",)),
    "pan left": ((
        "The camera pans right.", "The camera moves to the right.",), (
        "The camera turns right.",)),
    "zoom in": ((
        "The camera zooms out.", "The view is slowly zoomed out.",), (
        "A zoom-out ends the clip.",)),
    "zoom out": ((
        "The camera zooms in.", "It zooms in.",), (
        "A close-up is reached by zooming in.",)),
    "tilt down": ((
        "The camera tilts up.", "The camera is raised.",), (
        "The camera climbs upwards.",)),
    "tilt up": ((
        "The camera tilts down.",), (
        "The camera looks further and further down.",)),
}
FINDINGS = ((
    "an ulcer", "a gallstone", "a fracture", "a cyst", "a hernia", "a foreign body", "an aneurysm", "scarring"), (
    "a nodule", "a haematoma", "an oedema", "a rash"))
UNSOURCED = ((
    "A tumour of the left kidney is seen.", "The right lung has collapsed.", "There are signs of pneumonia.",
    "The left ovary is enlarged.", "It is a case of appendicitis.", "The carcinoma infiltrates the wall.",
    "The left ureter is kinked.", "A hepatocellular carcinoma fills the lobe.", "The right atrium is dilated.",
    "The child has measles.", "Gangrene has set in.", "The left hip is worn."), (
    "The right kidney holds a stone.", "The left lobe of the liver shows a metastasis.", "Multiple sclerosis is the cause.",
    "The left breast is inflamed.", "A stroke has occurred.", "Pancreatitis is present."))
OTHER = (("Die Kamera steht still, und man sieht die Hand von oben, während das Instrument langsam nach vorn geführt wird. " * 5,
          "La cámara permanece quieta mientras la mano guía el instrumento hacia delante y la luz cae desde arriba. " * 5),
         ("L'instrument avance lentement dans la lumière blanche, et la main gantée tient le tissu pendant toute la durée. " * 5,
          "Ð¢ÐºÐ°Ð½ÑŒ Ð´Ð²Ð¸Ð¶ÐµÑ‚ÑÑ Ð¼ÐµÐ´Ð»ÐµÐ½Ð½Ð¾ " * 12))
