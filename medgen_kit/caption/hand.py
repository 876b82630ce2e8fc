"""Captions written by hand for clips that do not exist: correct by their facts, in the voice of a large model, full of near misses.

They are the clean half of the sample on which the checks are measured (`planted.py`). Each holds something that a careless rule would
take for an error: "cuts to the left of the clip", a word that is seen and quoted, a number from the transcript, "without any cut".
The last six were put aside before the rules were written, and no rule was changed for them (`held_back`).
"""

from .facts import Facts

TUNED = (
    {"category": "clinical practice", "camera": "static shot", "seconds": 8.0,
     "title": "Suturing a forearm laceration",
     "transcript": "now we take a three zero nylon and place a simple interrupted stitch about five millimeters from the edge of the "
                   "wound",
     "brief": "A gloved hand places an interrupted stitch in a forearm wound with a needle holder, seen from above.",
     "detailed": "A forearm rests on a blue drape, and a straight wound runs along the skin. A gloved hand holds a needle holder with "
                 "a curved needle, while the other hand lifts the skin with toothed forceps. The needle goes in about five "
                 "millimeters from the wound edge, passes underneath and comes out opposite. The thread is drawn through slowly, then "
                 "looped around the tip of the needle holder and tied. Light falls from above and leaves a soft shadow beside the "
                 "hands. The camera stays fixed above the arm the whole time, and nothing but the hands moves. The style is that of a "
                 "close, well lit teaching recording."},
    {"category": "clinical practice", "camera": "static shot", "seconds": 7.5,
     "title": "Laparoscopic cholecystectomy, clipping the cystic duct",
     "transcript": "so here is the cystic duct and we are going to divide it between the clips",
     "brief": "Laparoscopic scissors cut between two metal clips on the cystic duct, with the gallbladder held up by a grasper.",
     "detailed": "Inside the abdomen, a grasper holds the pale green gallbladder upwards and stretches the cystic duct into a thin "
                 "cord. Two metal clips already sit on the duct. Curved scissors come in from the side of the picture, open around "
                 "the cord, and cut to the left of the upper clip, leaving a short stump. A little clear fluid runs down, then the "
                 "jaws close again and draw back. The liver forms a brown, shiny surface in the background and fine yellow fat hangs "
                 "below. The lens is kept still, so only the instruments and the stretched tissue move. The light is bright and cold, "
                 "and the metal throws small reflections."},
    {"category": "medical imaging", "camera": "static shot", "seconds": 6.0,
     "title": "Apical four chamber, left ventricular function",
     "text_seen": "HR 72 bpm MI 1.2 Adult Echo",
     "transcript": "the ejection fraction here is about 60 percent",
     "brief": "An echocardiogram in the four-chamber view: the heart beats within a grey fan beneath the words \"Adult Echo\".",
     "detailed": "A grey fan on black shows the heart from the apex, with all four chambers in view. The walls of both ventricles "
                 "move inward and outward in a regular rhythm, and the thin valve leaflets snap open and shut in between. In the "
                 "upper corner one reads \"Adult Echo\" above the heart rate of 72 bpm. Along the bottom a thin trace runs with the "
                 "beat. There is no fluid around the heart. The picture keeps its frame and size; the movement lies in the heart "
                 "alone. Speckle covers the muscle, while the blood in the chambers stays dark."},
    {"category": "medical teaching", "camera": "pan right", "seconds": 9.2,
     "title": "Bones of the hand",
     "text_seen": "SCAPHOID LUNATE TRIQUETRUM",
     "transcript": "this is the scaphoid then the lunate and as we move along the triquetrum",
     "brief": "The camera pans right across a model of the wrist bones, each with a white label.",
     "detailed": "A plastic model of the wrist stands on a wooden table in front of a plain grey wall. The camera pans slowly to the "
                 "right along the first row of carpal bones, so that one small white label after the other comes into view; the first "
                 "of them says \"Scaphoid\". A pointing stick enters from below, touches each bone and moves on. The bones are "
                 "cream-coloured and slightly glossy, and their joint surfaces are painted blue. The light is even and the background "
                 "stays out of focus. By the end the last bone of the row stands in the middle of the frame. It is calm footage made "
                 "for students."},
    {"category": "medical popular science", "camera": "static shot", "seconds": 8.4,
     "title": "How to use an inhaler",
     "transcript": "shake it well breathe out and then press once while you breathe in slowly and hold your breath for ten seconds",
     "brief": "A woman at a table shows how to use an inhaler: she shakes it, breathes out and presses while she breathes in.",
     "detailed": "A woman in a green jumper sits at a kitchen table and holds a blue inhaler. She shakes it a few times, takes off "
                 "the cap, and looks towards the camera while she speaks. Then she breathes out, places the mouthpiece between her "
                 "lips, and presses the canister with one finger as she breathes in. She takes the inhaler away and keeps her lips "
                 "closed for about ten seconds. Warm light comes from a window on the side, and a shelf with plants stands behind "
                 "her. The shot is static and frames her from the waist upwards. The tone is friendly and meant for people at home."},
    {"category": "medical animation", "camera": "zoom in", "seconds": 8.0,
     "title": "How a coronary stent works",
     "transcript": "the balloon is inflated and the stent opens and presses the plaque against the wall of the artery",
     "brief": "An animation zooms in on a coronary artery in which a balloon opens a metal stent against yellow plaque.",
     "detailed": "In this computer animation a coronary artery is cut open lengthwise to show its inside. Yellow plaque narrows the "
                 "red channel from both sides. A thin wire lies in the middle, and along it a folded balloon with a mesh of metal "
                 "slides forward. While the camera zooms in, the balloon swells, and the stent around it unfolds until its struts "
                 "touch the wall. The plaque is pushed outward and the channel becomes wide again. Round red cells then stream "
                 "through. Colours are saturated, surfaces are smooth, and the dark background makes the vessel glow. There is a "
                 "single continuous move towards the narrow place, without any cut."},
    {"category": "clinical practice", "camera": "complex motion", "seconds": 9.9,
     "title": "Colonoscopy: removal of a polyp in the left colon",
     "description": "Endoscopic removal of a pedunculated polyp of the left colon with a cold snare.",
     "brief": "During colonoscopy a wire snare is placed around a stalked polyp in the left colon and pulled tight.",
     "detailed": "A colonoscope looks along the left colon, whose wall is pink and shiny with fine vessels. A round polyp hangs on a "
                 "stalk and sways a little with the movement of the gut. A thin wire snare slides out of a plastic sheath, opens into "
                 "a loop, and is laid over the head of the polyp. The loop is pulled down to the stalk and closed; the polyp turns "
                 "darker before it comes free. The view shakes and turns slightly while the examiner keeps the place in the middle. "
                 "No bleeding can be seen afterwards. The light of the scope is white and strong in the centre and falls off towards "
                 "the folds."},
    {"category": "clinical practice", "camera": "handheld", "seconds": 7.0,
     "title": "Intubation training on a mannequin",
     "brief": "A student in blue scrubs slides a breathing tube into a mannequin's mouth with a laryngoscope, filmed by hand.",
     "detailed": "In a training room a student in blue scrubs stands behind the head of a mannequin on a stretcher. With one hand the "
                 "student lifts a steel laryngoscope, bends to look along the blade, and with the other hand guides a clear tube into "
                 "the mouth. A second person reaches in, steadies the tube and attaches a bag, and the plastic chest begins to rise. "
                 "The picture sways a little, as if filmed with a phone, and moves closer when the tube goes in. Monitors and a crash "
                 "cart fill the background. The light is flat and bluish, and the scene looks like an ordinary lesson rather than an "
                 "emergency."},
    {"category": "medical imaging", "camera": "static shot", "seconds": 6.4,
     "title": "CT chest with contrast, nodule in the right upper lobe",
     "text_seen": "Se: 3 Im: 41",
     "brief": "A scroll through axial chest CT slices with bright vessels and a small nodule in the right lung.",
     "detailed": "Axial slices of a chest CT run downwards one after the other, so that the bright ring of ribs widens and the "
                 "air-filled lungs grow and change shape. Vessels are white from contrast medium, and the heart appears in the middle "
                 "as the slices go on. In the right lung a small round nodule turns up for a few slices and then is gone. A thin line "
                 "of text stands at the upper edge. The window is set for the lungs, so soft tissue is pale grey and without detail. "
                 "Nothing but the slices changes, and the frame, the size and the brightness stay as they are. It is a plain "
                 "reading-room scroll."},
    {"category": "clinical practice", "camera": "tilt down", "seconds": 8.8,
     "title": "Physiotherapy after knee surgery",
     "transcript": "we want to get to ninety degrees of flexion today and you are doing great",
     "brief": "A therapist bends a seated patient's knee to ninety degrees while the camera tilts down from face to leg.",
     "detailed": "A patient sits on the edge of a treatment couch with one knee in a light bandage. A therapist in a white polo shirt "
                 "kneels in front, one hand under the heel and one on the thigh, and bends the leg slowly until it reaches ninety "
                 "degrees. The camera begins at the two faces, which smile, and then tilts down along the arm to the knee, where it "
                 "stops. A goniometer lies on the couch next to them. Daylight comes in through large windows, and other couches can "
                 "be seen in the blurred background. The movement is gentle and without haste, and the leg is laid back at the end."},
    {"category": "medical teaching", "camera": "static shot", "seconds": 8.1,
     "title": "Lecture: the cardiac cycle",
     "text_seen": "Systole Diastole Isovolumetric contraction",
     "transcript": "during isovolumetric contraction all four valves are closed",
     "brief": "A lecturer stands beside a slide headed \"Systole\" and points at a pressure curve.",
     "detailed": "A lecturer in a grey jacket stands next to a large screen in a dim lecture hall. The slide is headed \"Systole\" and "
                 "carries a pressure curve in red above a volume curve in blue. With a wooden stick the lecturer follows the steep "
                 "part of the red curve upwards, stops at its corner, and turns to the audience. A label in the lower part reads "
                 "\"Isovolumetric contraction\". Heads of students are seen from behind along the bottom edge. The camera is locked "
                 "off at the back of the room and does not pan or zoom. Light comes from the screen alone, so the wall around it is "
                 "nearly black."},
    {"category": "clinical practice", "camera": "dolly in", "seconds": 7.7,
     "title": "Bronchoscopy, passing the vocal cords",
     "brief": "A bronchoscope moves forward between the vocal cords and down the trachea with its pale rings.",
     "detailed": "The view of a bronchoscope starts above the larynx, where two white vocal cords open and close with the breath. As "
                 "they part, the scope moves forward between them, and the round trachea appears with its regular, pale rings of "
                 "cartilage. The mucosa is pink and moist, and a few small bubbles cling to the wall at the two o'clock position. "
                 "Deeper down the airway divides at a sharp ridge, towards which the scope keeps on. No mass or bleeding is in the "
                 "way. The picture is round with black corners, and its light is brightest near the lens. The course is steady from "
                 "beginning to end."},
    {"category": "clinical practice", "camera": "static shot", "seconds": 8.3,
     "title": "Skin incision for carotid surgery",
     "transcript": "we now cut down through the platysma",
     "brief": "A scalpel opens the skin of the neck in one long line while gauze takes up the blood.",
     "detailed": "The side of a neck is framed by green drapes and painted brown with disinfectant. A scalpel is set on the skin and "
                 "drawn along a marked line in one long stroke; the blade cuts to the fat below, and the edges part. A second pair of "
                 "hands presses gauze along the line and lifts it again. Small points of blood well up and are touched with a thin "
                 "cautery, which sends up a wisp of smoke. Then two hooks open the wound a little. The operating light is harsh and "
                 "white, and the picture does not move, so that the hands go in and out of a fixed frame."},
    {"category": "medical popular science", "camera": "static shot", "seconds": 9.0,
     "title": "What happens when you sneeze?",
     "description": "Slow motion footage of a sneeze, recorded at 1000 frames per second.",
     "brief": "A man sneezes in slow motion in front of a black wall, and a cloud of droplets spreads through the light.",
     "detailed": "In slow motion a man with a short beard turns his head to the side, closes his eyes and sneezes. A cloud of fine "
                 "droplets shoots out of his mouth, spreads in a cone, and drifts through the light, which comes from behind and "
                 "makes each drop shine. Larger drops fall in curves, smaller ones float on for a while. The wall behind him is "
                 "black, so nothing else is visible. He opens his eyes again and smiles at somebody beside the camera. The clip was "
                 "recorded at 1000 frames per second, which stretches a moment to several seconds. There is no zoom and no pan, and "
                 "the cloud fades at the end."},
)

HELD_BACK = (
    {"category": "clinical practice", "camera": "static shot", "seconds": 8.6,
     "title": "Cataract surgery in the right eye",
     "transcript": "now the phaco tip breaks the nucleus into four pieces and we remove each of them",
     "brief": "Through the operating microscope a thin probe breaks up the clouded lens of an eye.",
     "detailed": "Under an operating microscope a human eye fills the frame, held open by wire loops. The pupil is wide, and behind "
                 "it lies an amber, clouded lens. A thin metal probe enters through a tiny opening at the rim of the cornea, and a "
                 "second instrument steadies the eye from the opposite side. The probe hums into the lens, carves a groove, and the "
                 "pieces are sucked away one by one, so the red glow of the retina comes through more and more. Fluid ripples over "
                 "the surface. The microscope is not moved, and the light reflects in two bright dots. The style is that of a "
                 "surgical recording without commentary in the picture."},
    {"category": "medical imaging", "camera": "static shot", "seconds": 5.9,
     "title": "Fetal ultrasound, 20 weeks",
     "text_seen": "GA 20w3d Female",
     "brief": "A fetal ultrasound at 20 weeks: the profile of a face, and a hand that opens and closes.",
     "detailed": "A grey ultrasound image shows the profile of a fetus at 20 weeks, lying on its back inside a dark pool of fluid. "
                 "Forehead, nose and chin are drawn in bright lines. A small hand comes up beside the face, opens, and closes again, "
                 "while the chest rises and falls slightly. On the upper margin the mark \"GA 20w3d\" can be read. The bright curved "
                 "edge of the probe forms the top of the fan. The sonographer keeps the probe in place, and the image is not enlarged "
                 "or shifted. Tones range from black to light grey, and the grain is fine."},
    {"category": "clinical practice", "camera": "pan left", "seconds": 9.4,
     "title": "Tour of our intensive care unit",
     "transcript": "on your left is bed four where we keep the dialysis machine ready",
     "brief": "The camera pans left through an intensive care room past a ventilator, monitors and an empty bed.",
     "detailed": "The camera begins at a window with half-closed blinds and pans left through an intensive care room. It passes a "
                 "ventilator with corrugated hoses, a stack of infusion pumps, and a monitor whose green curve runs without a beep "
                 "being shown. An empty bed with raised rails follows, made up with white sheets. At the end a dialysis machine "
                 "stands against the wall, and a nurse walks by in the background and writes on a board. The light is cool and even, "
                 "and the floor mirrors the lamps. The move is smooth and slow, as on a tripod. Nobody lies in the room."},
    {"category": "medical animation", "camera": "static shot", "seconds": 7.2,
     "title": "Action potential in 60 seconds",
     "transcript": "sodium rushes in and the inside becomes positive",
     "text_seen": "Na+ K+ -70 mV",
     "brief": "In an animation sodium ions stream through a channel in a nerve cell's membrane while a needle climbs from -70 mV.",
     "detailed": "A cell membrane crosses the frame as a double row of round heads with wavy tails. In its middle stands a purple "
                 "channel with a gate. A meter in the corner shows -70 mV. The gate swings open, orange balls marked \"Na+\" stream "
                 "inwards, and the needle of the meter climbs. Shortly after, a second channel opens and green balls leave on the "
                 "opposite side, so that the needle sinks back. The drawing is flat and colourful, with thick outlines and a pale "
                 "blue background. The point of view is the same all through, and the labels stay in place. It explains one thing at "
                 "a time."},
    {"category": "clinical practice", "camera": "zoom out", "seconds": 8.0,
     "title": "Newborn examination: hip test",
     "brief": "The camera zooms out as gloved hands bend and spread a newborn's hips on a warm bed.",
     "detailed": "Two gloved hands hold the thighs of a newborn who lies on a padded bed below a heat lamp. The hips are bent, then "
                 "spread outward in turn, and the examiner pauses at each end of the movement. The baby moves its arms and yawns. The "
                 "camera zooms out from the hands until the entire bed and a folded towel with a stethoscope come into view. A soft "
                 "yellow light lies over the skin, and the sheets are printed with small stars. The hands are calm and let go at the "
                 "end. It is a quiet clip from everyday work, and no face but the baby's is visible."},
    {"category": "medical teaching", "camera": "static shot", "seconds": 8.9,
     "title": "ECG basics: reading the rhythm strip",
     "text_seen": "25 mm/s 10 mm/mV Lead II",
     "transcript": "count the large boxes between two R waves and divide three hundred by that number",
     "brief": "A hand with a pencil counts boxes on an ECG strip marked \"Lead II\" to find the rate.",
     "detailed": "A strip of pink ECG paper lies on a desk, and a hand with a pencil moves along it. The trace shows narrow, regular "
                 "spikes with small waves before and after each. The pencil sets a dot on one spike and counts the large boxes to "
                 "the next, then draws a short bracket between them. At the edge the paper bears the print \"25 mm/s\" and \"Lead II\". "
                 "A ruler lies next to it, and the shadow of the hand crosses the page. The camera looks straight down and keeps "
                 "still. The colours are plain: pink paper, black ink, a yellow pencil. The scene has the look of a lesson at a "
                 "desk."},
)


def rows(held_back=False):
    """The captions as (Facts, brief, detailed). held_back: the six that no rule was tuned on."""
    out = []
    for number, row in enumerate(HELD_BACK if held_back else TUNED):
        known = {name: row.get(name, "") for name in ("camera", "title", "description", "transcript", "text_seen")}
        facts = Facts(f"{'b' if held_back else 'a'}{number:015x}", row["category"], row["seconds"], 24.0, 720, 480, source="hand", **known)
        out.append((facts, row["brief"], row["detailed"]))
    return out
