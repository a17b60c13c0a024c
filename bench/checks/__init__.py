"""Can the code and this machine be believed?"""
